import Crypto
import Foundation
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@testable import Control

@Suite struct IssuanceTests {
    /// A host that is enrolled, with `default/web` placed on it.
    private func withHost(_ body: (AuthorityFixture) async throws -> Void) async throws {
        try await AuthorityFixture.with { fixture in
            let token = try await fixture.invite(
                .host,
                JoinTokenRequest(services: [.web])
            )
            try await fixture.join(token, SigningKey.generate(.ecdsaP256))
            try await body(fixture)
        }
    }

    @Test func aPlacedServiceGetsItsNameAndItsLifetime() async throws {
        try await withHost { fixture in
            let key = try SigningKey.generate(.ecdsaP256)
            let issued = try await fixture.issuance.issueServiceLeaf(
                .web,
                for: .host,
                request: CertificateSigningRequest.make(for: key),
                by: fixture.control.server
            )
            #expect(try fixture.validate(issued) == "spiffe://example.org/ns/default/svc/web")
            let leaf = try Certificate(der: issued.chain[0])
            #expect(leaf.dnsNames == ["web.default.svc.example.org"])
            #expect(try leaf.publicKey() == key.publicKey)
            let life = leaf.notAfter.duration(since: leaf.notBefore)
            #expect(
                life == Service.leafLifetimeDefault + AuthorityLifetimes.backdating
            )
            let row = try #require(
                try await fixture.certificates().first { $0.kind == .service }
            )
            #expect(row.serial == leaf.serialNumber && row.service == .web && row.agent == .host)
            let records = try await fixture.base.audited("certificate.issue")
            #expect(records.map(\.outcome) == ["success"])
        }
    }

    @Test func onlyThePublicKeyOfARequestCounts() async throws {
        try await withHost { fixture in
            let request = try AuthorityFixture.withDirectory { directory in
                let made = OpenSSLCommand.run([
                    "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-keyout", "\(directory)/key.pem", "-subj",
                    "/CN=db.default.svc.example.org", "-addext",
                    "subjectAltName=URI:spiffe://example.org/ns/default/svc/db,DNS:evil.example",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-outform", "DER", "-out",
                    "\(directory)/request.der",
                ])
                #expect(made.status == 0, "\(made.output)")
                return [UInt8](
                    try Data(contentsOf: URL(fileURLWithPath: "\(directory)/request.der"))
                )
            }
            let issued = try await fixture.issuance.issueServiceLeaf(
                .web,
                for: .host,
                request: request,
                by: fixture.control.server
            )
            let leaf = try Certificate(der: issued.chain[0])
            #expect(leaf.uriNames == ["spiffe://example.org/ns/default/svc/web"])
            #expect(leaf.dnsNames == ["web.default.svc.example.org"])
            #expect(!leaf.isCA)
            #expect(try leaf.publicKey() == CertificateSigningRequest(verifying: request).publicKey)
        }
    }

    @Test func aRequestWithoutProofOfItsKeyIsRefused() async throws {
        try await withHost { fixture in
            var request = try CertificateSigningRequest.make(for: .generate(.ecdsaP256))
            request[request.count - 1] ^= 1
            let broken = request
            let error = await refusal {
                try await fixture.issuance.issueServiceLeaf(
                    .web,
                    for: .host,
                    request: broken,
                    by: fixture.control.server
                )
            }
            #expect(error?.code == "certificate.request")
        }
    }

    @Test func aServiceThatIsNotPlacedGetsNothing() async throws {
        try await withHost { fixture in
            _ = try await fixture.control.catalog.apply(
                [.service(ServiceResource(service: Service(name: .orders)))],
                by: fixture.admin
            )
            #expect(await issue(.orders, on: .host, fixture)?.code == "certificate.not_placed")
            #expect(await issue(.web, on: .other, fixture)?.code == "agent.not_enrolled")
            // A placement that a database administrator wrote is none.
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.placements (namespace, service, agent, revision, created_at,
                    updated_at, created_by, mac)
                SELECT namespace, 'orders', agent, revision, created_at, updated_at, created_by,
                    mac FROM turnpike.placements
                """
            )
            #expect(await issue(.orders, on: .host, fixture)?.code == "certificate.not_placed")
            #expect(try await fixture.control.status().rowAlarms.map(\.table) == ["placements"])
            #expect(try await fixture.certificates().allSatisfy { $0.service != .orders })
        }
    }

    @Test func whatIsRolledBackLeavesNeitherCertificateNorRecord() async throws {
        struct Broken: Error {}
        try await withHost { fixture in
            let key = try SigningKey.generate(.ecdsaP256).publicKey
            let before = try await fixture.certificates().count
            let error = await refusal {
                try await fixture.control.act(
                    fixture.admin,
                    action: "test.broken",
                    resource: "ca/certificates/test"
                ) { act in
                    _ = try await fixture.issuance.issueAgentLeaf(.host, for: key, in: act)
                    throw Broken()
                }
            }
            #expect(error != nil)
            #expect(try await fixture.certificates().count == before)
            #expect(try await fixture.base.audited("test.broken").isEmpty)
        }
    }

    @Test func theAPIsCertificateIsNoneOfTheMesh() async throws {
        try await AuthorityFixture.with { fixture in
            let key = try SigningKey.generate(.ecdsaP256)
            let issued = try fixture.issuance.issueAPILeaf(for: key, names: [.dns("localhost")])
            let leaf = try Certificate(der: issued.chain[0])
            #expect(try leaf.isSigned(by: fixture.authority.apiRoot.certificate.publicKey()))
            #expect(throws: PathError.self) { try fixture.validate(issued) }
        }
    }

    private func issue(
        _ service: ServiceName,
        on agent: AgentName,
        _ fixture: AuthorityFixture
    ) async -> ControlError? {
        await refusal {
            try await fixture.issuance.issueServiceLeaf(
                service,
                for: agent,
                request: CertificateSigningRequest.make(for: .generate(.ecdsaP256)),
                by: fixture.control.server
            )
        }
    }
}
