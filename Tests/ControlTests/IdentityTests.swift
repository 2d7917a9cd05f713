import Control
import Mesh
import Observability
import Postgres
import Store
import Support
import Testing
import Wire

@Suite struct IdentityTests {
    @Test func aMissingRightIsNamed() async throws {
        try await ControlFixture.with { fixture in
            let policy = try AccessPolicy.of("reader", ["services/*": [.read]])
            let caller = ControlFixture.caller("reader", [policy])
            let identity = fixture.control.identity
            try identity.authorise(caller, .read, on: "services/default/web")
            let error = await refusal {
                try identity.authorise(caller, .update, on: "services/default/web")
            }
            #expect(error?.code == "access.denied")
            let text = try #require(error?.complaint.text)
            for word in ["token/reader", "update", "services/default/web"] {
                #expect(text.contains(word))
            }
        }
    }

    @Test func aThousandWrongTokensLockNobodyOutAndFloodNothing() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let (_, text) = try await control.tokens.create(
                TokenRequest(displayName: "ci", policies: ["read-only"]),
                by: fixture.admin
            )
            let codes = await withTaskGroup(of: String?.self) { group in
                for number in 0..<1_000 {
                    group.addTask { await wrongToken(number, control) }
                }
                group.addTask {
                    await refusal {
                        try await control.identity.authenticate(
                            token: text,
                            sourceAddress: "203.0.113.10",
                            requestID: ""
                        )
                    }?.code ?? "welcome"
                }
                return await group.reduce(into: [String: Int]()) {
                    $0[$1 ?? "let in", default: 0] += 1
                }
            }
            #expect(codes["welcome"] == 1)
            let unknown = codes["token.unknown", default: 0]
            let tooMany = codes["token.too_many", default: 0]
            #expect(unknown + tooMany == 1_000)
            #expect(unknown > 0)
            try await control.keepRefusals(includingCurrentMinute: true)
            let refused = try await fixture.audited("call.refused")
            // One record for each reason and each minute that the calls took.
            #expect((1...4).contains(refused.count))
            #expect(refused.allSatisfy { $0.actor == "unauthenticated" })
            let counter = control.metrics.counter(
                MetricNames.callRefusals,
                labels: ["token_unknown"]
            )
            #expect(Int(counter.value) == unknown)
        }
    }

    private func wrongToken(_ number: Int, _ control: ControlPlane) async -> String? {
        let secret = [UInt8](repeating: UInt8(number % 250), count: 31) + [9]
        return await refusal {
            try await control.identity.authenticate(
                token: "tp.\(Base64URL.encode(secret))",
                sourceAddress: "203.0.113.9",
                requestID: ""
            )
        }?.code
    }

    @Test func aForgedTokenIsAbsentAndAlarmed() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let secret = [UInt8](repeating: 3, count: 32)
            let hmac = control.keyring.hmacs(of: secret, label: "token")[0]
            let accessor = control.makeID()
            try await fixture.tamper(
                """
                INSERT INTO turnpike.tokens (accessor, token_hmac, display_name, kind, policies,
                    created_at, expires_at, created_by, mac)
                VALUES (\(accessor), \(hmac), 'mole', 'service', ARRAY['admin'],
                    now(), now() + interval '1 day', 'nobody', \([UInt8](repeating: 0, count: 36)))
                """
            )
            for _ in 0..<3 {
                let error = await refusal {
                    try await control.identity.authenticate(
                        token: "tp.\(Base64URL.encode(secret))",
                        sourceAddress: "",
                        requestID: ""
                    )
                }
                #expect(error?.code == "token.unknown")
            }
            let status = try await control.status()
            #expect(status.rowAlarms == [RowAlarm(table: "tokens", key: accessor.description)])
            #expect(status.administratorCount == 1)
            let alarms = try await fixture.audited("row.alarm")
            #expect(alarms.map(\.resource) == ["tokens/\(accessor)"])
            #expect(
                control.metrics.counter(MetricNames.rowMACFailures, labels: ["tokens"]).value >= 3
            )
        }
    }

    @Test(arguments: [
        "UPDATE turnpike.tokens SET policies = ARRAY['admin'] WHERE kind = 'service'" as SQL,
        "UPDATE turnpike.tokens SET expires_at = expires_at + interval '1 day'",
        "UPDATE turnpike.tokens SET revoked_at = NULL, kind = 'bootstrap'",
        "UPDATE turnpike.tokens SET display_name = 'other'",
    ])
    func anAlteredTokenIsAbsent(statement: SQL) async throws {
        try await ControlFixture.with { fixture in
            let (row, text) = try await fixture.control.tokens.create(
                TokenRequest(displayName: "ci", policies: ["read-only"]),
                by: fixture.admin
            )
            try await fixture.tamper(statement)
            let error = await refusal {
                try await fixture.control.identity.authenticate(
                    token: text,
                    sourceAddress: "",
                    requestID: ""
                )
            }
            #expect(error?.code == "token.unknown")
            #expect(
                await refusal { try await fixture.control.tokens.find(row.accessor) }?.code
                    == "token.not_found"
            )
        }
    }

    @Test func anAlteredPolicyGrantsNothing() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let policy = try AccessPolicy.of("reader", ["services/*": [.read]])
            _ = try await control.policies.put(policy, by: fixture.admin)
            let (_, text) = try await control.tokens.create(
                TokenRequest(displayName: "ci", policies: ["reader"]),
                by: fixture.admin
            )
            let caller = try await control.identity.authenticate(
                token: text,
                sourceAddress: "",
                requestID: ""
            )
            #expect(caller.may(.read, on: "services/default/web"))
            try await fixture.tamper(
                """
                UPDATE turnpike.policies SET document =
                    '{"name": "reader", "paths": {"*": ["sudo", "update", "read"]}}'
                """
            )
            // Another replica has nothing cached.
            let other = try await ControlFixture.open(fixture.pool, server: "two")
            let again = try await other.identity.authenticate(
                token: text,
                sourceAddress: "",
                requestID: ""
            )
            #expect(again.policies.isEmpty)
            #expect(try await other.status().rowAlarms.map(\.table) == ["policies"])
        }
    }
}
