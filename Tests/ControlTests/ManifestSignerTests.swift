import Crypto
import Mesh
import Reactor
import Snapshot
import Synchronization
import Testing
import Wire

@testable import Control

/// A burst of signatures, beside everything else that a reactor has to do.
struct ManifestSignerTests {
    private static let count = 120

    private func outcomes(
        _ count: Int,
        on reactor: Reactor
    ) async throws -> (authority: TestAuthority, outcomes: [ManifestSigner.Outcome]) {
        let trustDomain = try TrustDomain("example.test")
        let authority = try TestAuthority(trustDomain: trustDomain)
        let plan = ManifestPlan(
            trustDomain: trustDomain,
            trust: authority.anchor,
            revision: 7,
            auditHeads: [],
            now: Timestamp(secondsSinceEpoch: 1_800_000_000)
        )
        let orders = try (0..<count).map { number in
            ManifestSigner.Order(
                agent: try AgentName("host-\(number)"),
                previous: nil,
                unshown: nil,
                floor: nil,
                sections: [],
                lifetime: .seconds(3_600)
            )
        }
        let signer = ManifestSigner(on: reactor)
        return (authority, await signer.outcomes(of: orders, plan, authority.snapshotKey))
    }

    @Test(arguments: [0, 1, 25, 120]) func everyOrderIsAnsweredInItsPlace(count: Int) async throws {
        let thread = try ReactorThread(name: "signing")
        defer { thread.stop() }
        let (authority, outcomes) = try await outcomes(count, on: thread.reactor)
        let names = try outcomes.map { outcome in
            guard case .signed(let snapshot) = outcome else { throw SnapshotMissing() }
            let envelope = try Envelope(encoded: snapshot.publication.envelope)
            #expect(!envelope.signers(among: [authority.snapshotKey.publicKey]).isEmpty)
            #expect(envelope.payloadHash == snapshot.hash)
            return snapshot.manifest.agent.text
        }
        #expect(names == (0..<count).map { "host-\($0)" })
    }

    private struct SnapshotMissing: Error {}

    @Test func whatIsStoredAndHoldsIsShownAndNotSigned() async throws {
        let thread = try ReactorThread(name: "signing")
        defer { thread.stop() }
        let (authority, signed) = try await outcomes(1, on: thread.reactor)
        guard case .signed(let snapshot) = try #require(signed.first) else {
            Issue.record("it was not signed")
            return
        }
        let stored = try #require(
            StoredManifest(snapshot.row, signedBy: [authority.snapshotKey.publicKey])
        )
        let order = ManifestSigner.Order(
            agent: snapshot.manifest.agent,
            previous: (stored.manifest, stored.envelope.payloadHash),
            unshown: stored,
            floor: nil,
            sections: [],
            lifetime: .seconds(3_600)
        )
        let plan = ManifestPlan(
            trustDomain: snapshot.manifest.trustDomain,
            trust: authority.anchor,
            revision: 7,
            auditHeads: [],
            now: snapshot.manifest.issued + .seconds(1)
        )
        let next = await ManifestSigner(on: thread.reactor)
            .outcomes(of: [order], plan, authority.snapshotKey)
        guard case .shown(let again) = try #require(next.first) else {
            Issue.record("it was signed again")
            return
        }
        #expect(again.publication.envelope == snapshot.publication.envelope)
    }
}
