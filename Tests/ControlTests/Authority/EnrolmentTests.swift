import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Testing
import Wire

@testable import Control

@Suite struct EnrolmentTests {
    @Test func aTokenMakesAHostAnAgent() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            #expect(token.servers == ["tp.example.org:7400"])
            #expect(token.trustHash == fixture.authority.trust?.hash)
            let envelope = try Envelope(encoded: try fixture.enrolment.trustEnvelope())
            _ = try TrustAnchor.first(
                envelope,
                trustDomain: token.trustDomain,
                pinnedHash: token.trustHash
            )
            let key = try SigningKey.generate(.ecdsaP256)
            let issued = try await fixture.join(token, key)
            #expect(try fixture.validate(issued) == "spiffe://example.org/agent/web-1")
            #expect(try await fixture.recognise(issued) == .host)
            let agent = try await fixture.agents.find(.host).value
            #expect(agent.state == .enrolled && agent.spkiHash == key.publicKey.keyID.bytes)
            let record = try #require(try await fixture.base.audited("agent.enrol").first)
            #expect(record.resource == "agents/web-1" && record.outcome == "success")
        }
    }

    @Test func anAnswerThatWasLostIsGivenAgainToTheSameKeyOnly() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            let key = try SigningKey.generate(.ecdsaP256)
            let first = try await fixture.join(token, key)
            let second = try await fixture.join(token, key)
            #expect(first.chain[0] != second.chain[0])
            #expect(try await fixture.recognise(first) == .host)
            let thief = await refusal {
                try await fixture.join(token, .generate(.ecdsaP256))
            }
            #expect(thief?.code == "join_token.refused")
            #expect(try await reasons(fixture) == ["join token used by another key"])
            #expect(try await fixture.recognise(second) == .host)
        }
    }

    @Test func twoHostsCannotRedeemOneTokenAtOnce() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            let winners = await withTaskGroup(of: Bool.self) { group in
                for _ in 1...4 {
                    group.addTask {
                        await refusal {
                            try await fixture.join(token, .generate(.ecdsaP256))
                        } == nil
                    }
                }
                return await group.reduce(into: 0) { count, isWinner in
                    count += isWinner ? 1 : 0
                }
            }
            #expect(winners == 1)
            #expect(try await fixture.certificates(of: .host).count == 1)
        }
    }

    @Test func aTokenThatEndedOrWasRevokedIsRefusedForItsOwnReason() async throws {
        try await AuthorityFixture.with { fixture in
            let (row, text) = try await fixture.joinTokens.create(for: .host, by: fixture.admin)
            _ = try await fixture.joinTokens.revoke(row.id, of: .host, by: fixture.admin)
            let revoked = try JoinToken(text)
            let secret = [UInt8](repeating: 5, count: 32)
            try await store(secret, lifetime: .seconds(-1), fixture)
            let key = try SigningKey.generate(.ecdsaP256)
            for secret in [revoked.secretBytes, secret] {
                let error = await refusal { try await enrol(secret, key, fixture) }
                #expect(error?.code == "join_token.refused")
            }
            #expect(
                try await reasons(fixture) == ["revoked join token", "expired join token"]
            )
            #expect(try await fixture.certificates(of: .host).isEmpty)
        }
    }

    @Test func aSecretThatNobodyMadeIsCountedNotRecorded() async throws {
        try await AuthorityFixture.with { fixture in
            let key = try SigningKey.generate(.ecdsaP256)
            let secret = [UInt8](repeating: 1, count: 32)
            let error = await refusal { try await enrol(secret, key, fixture) }
            #expect(error?.code == "join_token.refused")
            #expect(try await fixture.base.audited("agent.enrol").isEmpty)
            try await fixture.control.keepRefusals(includingCurrentMinute: true)
            let records = try await fixture.base.audited("call.refused")
            #expect(records.map(\.reason) == ["join_token_unknown"])
        }
    }

    @Test func aTokenThatWasAlteredInTheDatabaseIsAbsentAndAlarmed() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            try await fixture.base.tamper(
                "UPDATE turnpike.join_tokens SET expires_at = expires_at + interval '1 day'"
            )
            let error = await refusal {
                try await fixture.join(token, .generate(.ecdsaP256))
            }
            #expect(error?.code == "join_token.refused")
            #expect(try await fixture.joinTokens.list(for: .host).isEmpty)
            #expect(try await fixture.control.status().rowAlarms.map(\.table) == ["join_tokens"])
        }
    }

    /// Whoever writes the database, even with rows that a server once wrote.
    @Test(
        arguments: [
            "UPDATE turnpike.agents SET state = 'enrolled', spki_sha256 = kept.spki_sha256 FROM kept",
            """
            UPDATE turnpike.agents SET state = kept.state, spki_sha256 = kept.spki_sha256,
                revision = kept.revision, mac = kept.mac FROM kept
            """,
        ] as [SQL]
    )
    func nobodyBringsARevokedAgentBackThroughTheDatabase(_ tampering: SQL) async throws {
        try await AuthorityFixture.with { fixture in
            let certificate = try await fixture.join(
                try await fixture.invite(),
                .generate(.ecdsaP256)
            )
            #expect(try await fixture.recognise(certificate) == .host)
            try await fixture.base.tamper("CREATE TABLE kept AS SELECT * FROM turnpike.agents")
            _ = try await fixture.agents.revoke(.host, by: fixture.admin)
            try await fixture.base.tamper(tampering)
            try await fixture.base.tamper("UPDATE turnpike.certificates SET revoked_at = NULL")
            #expect(
                await refusal { try await fixture.recognise(certificate) }?.code
                    == "agent.not_enrolled"
            )
            let alarms = try await fixture.control.status().rowAlarms
            #expect(alarms == [RowAlarm(table: "agents", key: AgentName.host.text)])
        }
    }

    /// Not even one behind a thousand later ones, which is as many as a list shows.
    @Test func revokingAnAgentEndsEveryTokenThatCounts() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.join_tokens (id, token_hmac, agent, created_at, expires_at,
                    revoked_at, created_by, mac)
                SELECT overlay(id::text PLACING lpad(to_hex(number), 8, '0') FROM 29)::uuid,
                    decode(lpad(to_hex(number), 8, '0'), 'hex'), agent,
                    created_at + interval '1 second', expires_at, now(), created_by, mac
                FROM turnpike.join_tokens, generate_series(1, 1001) AS number
                """
            )
            _ = try await fixture.agents.revoke(.host, by: fixture.admin)
            let error = await refusal { try await fixture.join(token, .generate(.ecdsaP256)) }
            #expect(error?.code == "join_token.refused")
        }
    }

    @Test func enrollingAnewPutsThePreviousKeyOutForGood() async throws {
        try await AuthorityFixture.with { fixture in
            let old = try SigningKey.generate(.ecdsaP256)
            let oldToken = try await fixture.invite()
            let first = try await fixture.join(oldToken, old)
            let serial = try Certificate(der: first.chain[0]).serialNumber
            let second = try await fixture.join(
                try await fixture.invite(),
                .generate(.ecdsaP256)
            )
            #expect(try await fixture.recognise(second) == .host)
            #expect(
                await refusal { try await fixture.recognise(first) }?.code
                    == "agent.not_enrolled"
            )
            let rows = try await fixture.certificates(of: .host)
            #expect(
                rows.filter { $0.revokedAt != nil }.map(\.spkiHash)
                    == [old.publicKey.keyID.bytes]
            )
            // A connection of the old key that is still open gets nothing more.
            _ = try await fixture.invite(.host, JoinTokenRequest(services: [.web]))
            let leaf = await refusal {
                try await fixture.issuance.issueServiceLeaf(
                    .web,
                    for: .host,
                    connectedWith: serial,
                    request: CertificateSigningRequest.make(for: .generate(.ecdsaP256)),
                    by: fixture.control.server
                )
            }
            #expect(leaf?.code == "agent.not_enrolled")
            // The old token still belongs to the old key, but brings it back no more.
            let back = await refusal { try await fixture.join(oldToken, old) }
            #expect(back?.code == "join_token.refused")
            #expect(try await reasons(fixture) == ["join token of a replaced key"])
            #expect(try await fixture.recognise(second) == .host)
        }
    }

    @Test func anAgentThatWasPutOutStaysOut() async throws {
        try await AuthorityFixture.with { fixture in
            let key = try SigningKey.generate(.ecdsaP256)
            let used = try await fixture.invite(.host, JoinTokenRequest(services: [.web]))
            let spare = try await fixture.invite()
            let issued = try await fixture.join(used, key)
            let (revision, count) = try await fixture.agents.revoke(.host, by: fixture.admin)
            #expect(count == 1)
            #expect(try await fixture.agents.find(.host).revision == revision)
            #expect(
                await refusal { try await fixture.recognise(issued) }?.code
                    == "agent.not_enrolled"
            )
            for token in [used, spare] {
                #expect(
                    await refusal { try await fixture.join(token, key) }?.code
                        == "join_token.refused"
                )
            }
            let request = try CertificateSigningRequest.make(for: key)
            #expect(
                await refusal { try await fixture.enrolment.renew(.host, request: request) }?
                    .code == "agent.other_key"
            )
            let leaf = await refusal {
                try await fixture.issuance.issueServiceLeaf(
                    .web,
                    for: .host,
                    request: request,
                    by: fixture.control.server
                )
            }
            #expect(leaf?.code == "agent.not_enrolled")
            #expect(try await fixture.agents.revoke(.host, by: fixture.admin).revision == revision)
            // A token that is made afterwards is the way back.
            _ = try await fixture.join(try await fixture.invite(), key)
            #expect(try await fixture.agents.find(.host).value.state == .enrolled)
        }
    }

    @Test func onlyTheCurrentKeyIsRenewed() async throws {
        try await AuthorityFixture.with { fixture in
            let key = try SigningKey.generate(.ecdsaP256)
            try await fixture.join(try await fixture.invite(), key)
            let renewed = try await fixture.enrolment.renew(
                .host,
                request: CertificateSigningRequest.make(for: key)
            )
            #expect(try await fixture.recognise(renewed) == .host)
            #expect(try await fixture.base.audited("agent.renew").count == 1)
            let other = await refusal {
                try await fixture.enrolment.renew(
                    .host,
                    request: CertificateSigningRequest.make(for: .generate(.ecdsaP256))
                )
            }
            #expect(other?.code == "agent.other_key")
        }
    }

    @Test func aCertificateOfAnotherKindIsNoAgent() async throws {
        try await AuthorityFixture.with { fixture in
            let server = try await fixture.issuance.issueServerLeaf(
                for: .generate(.ecdsaP256)
            )
            let error = await refusal { try await fixture.recognise(server) }
            #expect(error?.code == "agent.not_enrolled")
            let id = SPIFFEID(service: .web, in: fixture.control.trustDomain)
            let service = await refusal {
                try await fixture.enrolment.agent(id: id, spkiHash: [])
            }
            #expect(service?.code == "agent.required")
        }
    }

    @Test func theExchangeSpeaksTheHostsDocuments() async throws {
        try await AuthorityFixture.with { fixture in
            let exchange = EnrolmentExchange(
                fixture.control,
                fixture.authority,
                AuthorityFixture.addresses
            )
            let token = try await fixture.invite()
            let key = try SigningKey.generate(.ecdsaP256)
            let request = EnrolmentRequest(
                secret: token.secretBytes,
                csr: try CertificateSigningRequest.make(for: key)
            )
            let document = try await exchange.enrol(
                request.document,
                by: AuthorityFixture.visitor
            )
            let answer = try FieldReader.read(document) { reader throws(FieldError) in
                try EnrolmentAnswer(from: &reader)
            }
            #expect(answer.agent == .host && answer.servers == ["tp.example.org:7401"])
            #expect(answer.chain.count == 2)
            let empty = await refusal {
                try await exchange.enrol(.fields([:]), by: AuthorityFixture.visitor)
            }
            #expect(empty?.code == "request.field")
        }
    }

    private func enrol(
        _ secret: [UInt8],
        _ key: SigningKey,
        _ fixture: AuthorityFixture
    ) async throws {
        _ = try await fixture.enrolment.enrol(
            secret: secret,
            request: CertificateSigningRequest.make(for: key),
            by: AuthorityFixture.visitor
        )
    }

    /// Stores a token as the server would have, some time ago.
    private func store(
        _ secret: [UInt8],
        lifetime: Duration,
        _ fixture: AuthorityFixture
    ) async throws {
        let control = fixture.control
        let hmac = try #require(
            control.keyring.hmacs(of: secret, label: JoinTokens.label).first
        )
        try await control.write { database in
            let now = try await ServerRepository.time(in: database)
            try await JoinTokenRepository.put(
                JoinTokenRow(
                    id: control.makeID(),
                    tokenHMAC: hmac,
                    agent: .host,
                    createdAt: now,
                    expiresAt: now + lifetime,
                    createdBy: "test"
                ),
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    /// Why enrolments were refused, oldest first.
    private func reasons(_ fixture: AuthorityFixture) async throws -> [String] {
        try await fixture.base.audited("agent.enrol").filter { $0.outcome == "denied" }
            .compactMap(\.reason)
    }
}

@Suite struct JoinTokensTests {
    @Test(arguments: [59, 3_601])
    func aLifeOutOfBoundsIsRefused(_ seconds: Int64) async throws {
        try await AuthorityFixture.with { fixture in
            let error = await refusal {
                try await fixture.invite(
                    .host,
                    JoinTokenRequest(lifetime: .seconds(seconds))
                )
            }
            #expect(error?.code == "join_token.invalid")
        }
    }

    @Test func theSecretIsStoredNowhere() async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite()
            let row = try #require(try await fixture.joinTokens.list(for: .host).first)
            #expect(row.tokenHMAC != token.secretBytes)
            #expect(row.expiresAt.duration(since: row.createdAt) == .seconds(3_600))
            #expect(row.document["token"] == nil && row.document["id"] != nil)
        }
    }

    @Test func placementsComeWithTheTokenOrNothingDoes() async throws {
        try await AuthorityFixture.with { fixture in
            let missing = await refusal {
                try await fixture.invite(.host, JoinTokenRequest(services: [.web, .orders]))
            }
            #expect(missing?.code == "service.unknown")
            #expect(
                await refusal { try await fixture.agents.find(.host) }?.code
                    == "agent.not_found"
            )
            _ = try await fixture.invite(.host, JoinTokenRequest(services: [.web]))
            let placed = try await fixture.control.read { database in
                try await PlacementRepository.find(
                    [Placement(service: .web, agent: .host)],
                    guardedBy: fixture.control.rowGuard,
                    in: database
                )
            }
            #expect(placed.map(\.createdBy) == [fixture.admin.principal])
        }
    }

    @Test func withoutAnAddressThereIsNoToken() async throws {
        try await AuthorityFixture.with { fixture in
            let tokens = JoinTokens(fixture.control, fixture.authority, ServerAddresses())
            let error = await refusal { try await tokens.create(for: .host, by: fixture.admin) }
            #expect(error?.code == "join_token.no_servers")
            try await fixture.control.announce(
                apiAddress: "192.0.2.1:7400",
                agentAddress: "192.0.2.1:7401"
            )
            let text = try await tokens.create(for: .host, by: fixture.admin).text
            #expect(try JoinToken(text).servers == ["192.0.2.1:7400"])
        }
    }

    @Test func anotherAgentsTokenIsNotFound() async throws {
        try await AuthorityFixture.with { fixture in
            let row = try await fixture.joinTokens.create(for: .host, by: fixture.admin).row
            let error = await refusal {
                try await fixture.joinTokens.revoke(row.id, of: .other, by: fixture.admin)
            }
            #expect(error?.code == "join_token.not_found")
        }
    }
}
