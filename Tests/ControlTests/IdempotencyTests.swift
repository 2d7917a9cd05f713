import Control
import Postgres
import Store
import Support
import Testing

@Suite struct IdempotencyTests {
    @Test func aRepeatedCreationIsAnsweredOnce() async throws {
        try await ControlFixture.with { fixture in
            let keys = fixture.control.idempotency
            func claim(_ hash: UInt8, as principal: String = "p") async throws -> CreationClaim {
                try await keys.claim(principal: principal, key: "k", requestHash: [hash])
            }
            #expect(try await claim(1) == .claimed)
            #expect(try await claim(1) == .inProgress)
            #expect(try await claim(2) == .mismatched)
            #expect(try await claim(2, as: "q") == .claimed)
            try await keys.complete(principal: "p", key: "k", status: 201, body: [7])
            #expect(try await claim(1) == .answered(StoredAnswer(status: 201, body: [7])))
            #expect(try await claim(2) == .mismatched)
            try await keys.abandon(principal: "q", key: "k")
            #expect(try await claim(3, as: "q") == .claimed)
        }
    }

    @Test func aDeadWorkersClaimLapses() async throws {
        try await ControlFixture.with { fixture in
            let keys = fixture.control.idempotency
            _ = try await keys.claim(principal: "p", key: "k", requestHash: [1])
            try await fixture.tamper(
                "UPDATE turnpike.idempotency_keys SET created_at = now() - interval '2 minutes'"
            )
            let again = try await keys.claim(principal: "p", key: "k", requestHash: [1])
            #expect(again == .claimed)
        }
    }

    @Test(arguments: ["", "a\nb", String(repeating: "x", count: 256)])
    func aWrongKeyIsRefused(key: String) async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal {
                try await fixture.control.idempotency.claim(
                    principal: "p",
                    key: key,
                    requestHash: [1]
                )
            }
            #expect(error?.code == "idempotency_key.invalid")
        }
    }
}
