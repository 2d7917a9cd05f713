import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Testing
import Wire

@testable import Control

@Suite struct RevocationsTests {
    private func host(_ fixture: AuthorityFixture, _ name: AgentName = .host) async throws {
        let token = try await fixture.invite(name, JoinTokenRequest(services: [.web]))
        try await fixture.join(token, .generate(.ecdsaP256))
    }

    private func issue(
        _ fixture: AuthorityFixture,
        _ name: AgentName = .host,
        _ service: ServiceName = .web
    ) async throws(ControlError) -> [UInt8] {
        guard let key = try? SigningKey.generate(.ecdsaP256),
            let request = try? CertificateSigningRequest.make(for: key)
        else { throw .faulted(Complaint("test", "no request")) }
        let issued = try await fixture.issuance.issueServiceLeaf(
            service,
            for: name,
            request: request,
            by: fixture.control.server
        )
        return (try? Certificate(der: issued.chain[0]).serialNumber) ?? []
    }

    private func denied(_ fixture: AuthorityFixture) async throws -> Set<[UInt8]> {
        try await fixture.control.read { database in
            try await RevocationRepository.denied(in: database)
        }
    }

    private func revision(_ fixture: AuthorityFixture) async throws -> Int64 {
        try await fixture.control.read { database in
            try await RevisionRepository.current(in: database)
        }
    }

    @Test func everyCertificateOfTheServiceIsDeniedAndNoOther() async throws {
        try await AuthorityFixture.with { fixture in
            let revocations = Revocations(fixture.control)
            _ = try await fixture.control.catalog.apply(
                [.service(ServiceResource(service: Service(name: .orders)))],
                by: fixture.admin
            )
            let token = try await fixture.invite(
                .host,
                JoinTokenRequest(services: [.web, .orders])
            )
            try await fixture.join(token, .generate(.ecdsaP256))
            try await host(fixture, .other)
            let web = [
                try await issue(fixture), try await issue(fixture),
                try await issue(fixture, .other),
            ]
            let orders = try await issue(fixture, .host, .orders)
            let outcome = try await revocations.revoke(
                .web,
                reason: "key found in a repository",
                by: fixture.admin
            )
            #expect(outcome.certificateCount == 3)
            #expect(try await denied(fixture) == Set(web))
            let refused = await refusal { try await issue(fixture) }
            #expect(refused?.code == "identity.revoked")
            #expect(refused?.description.contains("key found in a repository") == true)
            let others = try await issue(fixture, .host, .orders)
            #expect(!others.isEmpty)
            let rows = try await fixture.certificates()
            for row in rows {
                let isDenied = web.contains(row.serial)
                #expect((row.revokedAt != nil) == isDenied)
                #expect(
                    row.revocationReason == (isDenied ? "key found in a repository" : nil)
                )
            }
            #expect(rows.contains { $0.serial == orders })
            let record = try #require(try await fixture.base.audited("identity.revoke").first)
            #expect(record.resource == "services/default/web")
            let again = try await revocations.revoke(.web, reason: "x", by: fixture.admin)
            #expect(again.certificateCount == 0 && again.revision == outcome.revision)
            _ = try await revocations.allow(.web, by: fixture.admin)
            let fresh = try await issue(fixture)
            #expect(try await denied(fixture) == Set(web))
            #expect(!web.contains(fresh))
        }
    }

    @Test func aSlipOfTheKeyboardIsNoRevocation() async throws {
        try await AuthorityFixture.with { fixture in
            let revocations = Revocations(fixture.control)
            let missing = await refusal {
                try await revocations.revoke(.orders, reason: "x", by: fixture.admin)
            }
            #expect(missing?.code == "service.not_found")
            let listed = try await revocations.list()
            #expect(listed.isEmpty)
            let allowed = await refusal {
                try await revocations.allow(.web, by: fixture.admin)
            }
            #expect(allowed?.code == "identity.not_revoked")
            for reason in ["", "a\nb", String(repeating: "x", count: 257)] {
                let refused = await refusal {
                    try await revocations.revoke(.web, reason: reason, by: fixture.admin)
                }
                #expect(refused?.code == "revocation.invalid")
            }
        }
    }

    @Test func anAgentThatIsPutOutTakesItsServicesCertificatesAlong() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            try await host(fixture, .other)
            let stolen = try await issue(fixture)
            let other = try await issue(fixture, .other)
            let (_, count) = try await fixture.agents.revoke(
                .host,
                reason: "host was broken into",
                by: fixture.admin
            )
            // Its own certificate and that of the service.
            #expect(count == 2)
            let serials = try await denied(fixture)
            #expect(serials.contains(stolen) && !serials.contains(other) && serials.count == 2)
            try await host(fixture)
            let fresh = try await issue(fixture)
            #expect(try await !denied(fixture).contains(fresh))
        }
    }

    @Test func aCertificateIssuedBesideARevocationIsDeniedOrRefused() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let first = try await issue(fixture)
            let issued = await withTaskGroup(of: [UInt8]?.self) { group in
                for index in 0..<24 {
                    group.addTask {
                        if index == 12 {
                            _ = try? await Revocations(fixture.control).revoke(
                                .web,
                                reason: "race",
                                by: fixture.admin
                            )
                            return nil
                        }
                        return try? await issue(fixture)
                    }
                }
                return await group.reduce(into: Set([first])) { all, serial in
                    if let serial { all.insert(serial) }
                }
            }
            let denied = try await denied(fixture)
            #expect(denied == issued && denied.contains(first))
            await #expect(throws: ControlError.self) { try await issue(fixture) }
        }
    }

    private func cutoffs(_ fixture: AuthorityFixture) async throws -> [ServiceName: Timestamp] {
        try await fixture.control.read { database in
            try await RevocationRepository.cutoffs(in: database)
        }
    }

    @Test func whatOutlivedItsCertificateIsCutOffUntilNobodyCanHoldItAnyMore() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let serial = try await issue(fixture)
            // Nothing is left to be denied by its number.
            try await fixture.control.write { database in
                try await database.query(
                    """
                    UPDATE turnpike.certificates SET not_after = now() - interval '1 hour'
                    WHERE serial = \(serial)
                    """
                )
            }
            let revocations = Revocations(fixture.control)
            _ = try await revocations.revoke(.web, reason: "x", by: fixture.admin)
            #expect(try await denied(fixture).isEmpty)
            #expect(try await Set(cutoffs(fixture).keys) == [.web])
            try await revocations.collect()
            #expect(try await Set(cutoffs(fixture).keys) == [.web])
            try await fixture.control.write { database in
                try await database.query(
                    """
                    UPDATE turnpike.revocation_cutoffs SET made_at = now() - interval '26 hours'
                    """
                )
            }
            let before = try await revision(fixture)
            try await revocations.collect()
            #expect(try await cutoffs(fixture).isEmpty)
            #expect(try await revision(fixture) == before + 1)
        }
    }

    @Test func anAgentThatAnOlderServerPutOutIsStillDenied() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let serial = try await issue(fixture)
            _ = try await fixture.agents.revoke(.host, by: fixture.admin)
            try await fixture.control.write { database in
                try await database.query("UPDATE turnpike.certificates SET is_denied = false")
            }
            let count = try await fixture.agents.revoke(.host, by: fixture.admin).certificateCount
            #expect(count == 2)
            #expect(try await denied(fixture).contains(serial))
            #expect(try await cutoffs(fixture)[.web] != nil)
        }
    }

    /// Servers that know nothing of revocations sign on the same database.
    @Test func theDatabaseItselfTakesNoCertificateOfARevokedService() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let serial = try await issue(fixture)
            _ = try await Revocations(fixture.control).revoke(.web, reason: "x", by: fixture.admin)
            await #expect(throws: (any Error).self) {
                try await fixture.control.write { database in
                    try await database.query(
                        """
                        INSERT INTO turnpike.certificates
                        SELECT (jsonb_populate_record(c, jsonb_build_object(
                            'serial', '\\x0102030405060708090a0b0c0d0e0f10'
                        ))).* FROM turnpike.certificates c WHERE serial = \(serial)
                        """
                    )
                }
            }
        }
    }

    @Test func anAgentHoldsOnlySoManyCertificatesOfAService() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let serial = try await issue(fixture)
            try await fixture.control.write { database in
                try await database.query(
                    """
                    INSERT INTO turnpike.certificates
                    SELECT (jsonb_populate_record(c, jsonb_build_object(
                        'serial', '\\x' || lpad(to_hex(n), 32, '0')
                    ))).* FROM turnpike.certificates c, generate_series(1, 255) AS n
                    WHERE serial = \(serial)
                    """
                )
            }
            let error = await #expect(throws: ControlError.self) { try await issue(fixture) }
            #expect(error?.code == "certificate.too_many")
        }
    }

    /// Agents that cannot read the section would believe nobody any more.
    @Test func moreCutOffsThanAgentsReadAreRefused() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let serial = try await issue(fixture)
            try await fixture.control.write { database in
                try await database.query(
                    """
                    INSERT INTO turnpike.revocation_cutoffs (namespace, service, until, made_at)
                    SELECT 'default', 's-' || n, now(), now()
                    FROM generate_series(1, \(RevocationsSection.cutoffsMax)) AS n
                    """
                )
            }
            let revocations = Revocations(fixture.control)
            let error = await #expect(throws: ControlError.self) {
                try await revocations.revoke(.web, reason: "x", by: fixture.admin)
            }
            #expect(error?.code == "revocation.too_many")
            let others = try await denied(fixture)
            #expect(!others.contains(serial))
        }
    }

    @Test func whatHasEndedLeavesTheListWithARevisionOfItsOwn() async throws {
        try await AuthorityFixture.with { fixture in
            try await host(fixture)
            let revocations = Revocations(fixture.control)
            let (ended, live) = (try await issue(fixture), try await issue(fixture))
            let revision = try await revocations.revoke(.web, reason: "x", by: fixture.admin)
                .revision
            try await revocations.collect()
            #expect(try await self.revision(fixture) == revision)
            try await fixture.control.write { database in
                try await database.query(
                    """
                    UPDATE turnpike.certificates SET not_after = now() - interval '1 hour'
                    WHERE serial = \(ended)
                    """
                )
            }
            try await revocations.collect()
            #expect(try await denied(fixture) == [live])
            #expect(try await self.revision(fixture) == revision + 1)
            try await revocations.collect()
            #expect(try await self.revision(fixture) == revision + 1)
        }
    }

    @Test func anAgentThatDoesNotKnowTheListIsNotShownIt() throws {
        var compiler = SectionCompiler(trustDomain: try TrustDomain("example.org"))
        let agent = Configuration.Agent(isEnrolled: true, meshAddress: nil)
        _ = compiler.apply([.agent(.host, agent), .agent(.other, agent)])
        #expect(kinds(&compiler, .host) == [.hosted, .upstreams])
        // Everybody is concerned, and says nothing else than before when the list is empty again.
        #expect(
            compiler.apply([.revocations(RevocationsSection(serials: [[1, 2]]))]) == [
                .host, .other,
            ]
        )
        _ = compiler.understands([.traffic], .host)
        #expect(kinds(&compiler, .host) == [.hosted, .upstreams])
        #expect(kinds(&compiler, .other) == [.hosted, .revocations, .upstreams])
        #expect(compiler.apply([.revocations(RevocationsSection(serials: [[1, 2]]))]).isEmpty)
        #expect(compiler.apply([.revocations(RevocationsSection(serials: []))]) == [.host, .other])
        #expect(kinds(&compiler, .other) == [.hosted, .upstreams])
    }

    private func kinds(_ compiler: inout SectionCompiler, _ agent: AgentName) -> [SectionKind] {
        (compiler.sections(of: agent) ?? []).map(\.reference.kind)
    }
}
