import Crypto
import Mesh
import Snapshot
import Store
import Support
import Testing
import Wire

@testable import Control

struct EpochRaiseTests {
    @Test func theTrustKeysRaiseTheEpochAndNobodyElse() async throws {
        try await AuthorityFixture.with { fixture in
            let control = fixture.control
            let held = try #require(fixture.authority.trust)
            let raise = EpochRaise(control, fixture.authority)
            let stranger = try SigningKey.generate(.ed25519)
            let refused = await refusal {
                try await raise.perform(signedBy: [stranger], reason: "test")
            }
            #expect(refused?.code == "trust.signatures")
            #expect(fixture.authority.trust == held)

            let key = try SigningKey(pem: try #require(fixture.trustKey.all.last))
            let next = try await raise.perform(signedBy: [stranger, key], reason: "test")
            #expect(next.epoch > held.document.epoch)
            #expect(next.authorities == held.document.authorities)
            #expect(next.snapshotKeys == held.document.snapshotKeys)
            let now = try #require(fixture.authority.trust)
            #expect(now.document == next)
            // An agent that holds the old one takes it.
            #expect(try held.succeeded(by: now.envelope) == now)
            let audited = try await fixture.base.audited("trust.raise_epoch")
            #expect(audited.map(\.outcome) == ["success"])
        }
    }

    @Test func aSecondRestoreIsAboveTheFirst() throws {
        let mesh = try TestMesh(now: Timestamp(secondsSinceEpoch: 1_900_000_000))
        let held = mesh.trust.document
        let first = EpochRaise.next(after: held, now: Timestamp(secondsSinceEpoch: 1_900_000_100))
        let second = EpochRaise.next(after: held, now: Timestamp(secondsSinceEpoch: 1_900_000_101))
        #expect(first.epoch == 1_900_000_100 && first.version == 1_900_000_100)
        #expect(second.epoch > first.epoch && second.version > first.version)
        // Also where the clock is behind.
        let third = EpochRaise.next(after: second, now: .epoch)
        #expect(third.epoch == second.epoch + 1 && third.version == second.version + 1)
    }
}
