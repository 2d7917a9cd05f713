import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@Suite struct TokensTests {
    private func authenticate(
        _ fixture: ControlFixture,
        _ token: String?,
        from source: String = "198.51.100.4"
    ) async throws -> Caller {
        try await fixture.control.identity.authenticate(
            token: token,
            sourceAddress: source,
            requestID: "r-1"
        )
    }

    private let adminRequest = TokenRequest(displayName: "root", policies: ["admin"])

    @Test func aTokenLivesAndEnds() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            let request = TokenRequest(displayName: "ci", policies: ["read-only"])
            let (row, text) = try await tokens.create(request, by: fixture.admin)
            let caller = try await authenticate(fixture, text)
            #expect(caller.principal == "token/\(row.accessor)")
            #expect(caller.displayName == "ci")
            #expect(caller.may(.read, on: "services/default/web"))
            #expect(!caller.may(.update, on: "services/default/web"))
            #expect(try await tokens.find(row.accessor) == row)
            try await tokens.revoke(row.accessor, by: fixture.admin)
            let error = await refusal { try await authenticate(fixture, text) }
            #expect(error?.code == "token.revoked")
            try await tokens.revoke(row.accessor, by: fixture.admin)
            let audited = try await fixture.audited("token.revoke")
            #expect(audited.map(\.outcome) == ["success", "unchanged"])
        }
    }

    @Test func theDatabaseKeepsNoToken() async throws {
        try await ControlFixture.with { fixture in
            let (_, text) = try await fixture.control.tokens.create(adminRequest, by: fixture.admin)
            let connection = try await fixture.database.connect()
            let rows = try await connection.query(
                """
                SELECT (SELECT string_agg(t::text, ' ') FROM turnpike.tokens t)
                    || (SELECT string_agg(a::text, ' ') FROM turnpike.audit a)
                """
            )
            await connection.close()
            let everything: String = try rows.single().decode(at: 0)
            let secret = try Base64URL.decode(String(text.dropFirst(3)))
            #expect(!everything.contains(text.dropFirst(3)))
            #expect(!everything.contains(Hex.encode(secret)))
        }
    }

    @Test(arguments: [
        ("", "token.unknown"), ("tp.", "token.unknown"), ("garbage", "token.unknown"),
        ("tp.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "token.unknown"),
        ("tp.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!", "token.unknown"),
    ])
    func whatIsNoTokenIsRefused(text: String, code: String) async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal { try await authenticate(fixture, text) }
            #expect(error?.code == code)
            #expect(await refusal { try await authenticate(fixture, nil) }?.code == "token.missing")
        }
    }

    @Test func theDatabaseDecidesAboutTheEnd() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let secret = [UInt8](repeating: 5, count: 32)
            let past = Timestamp(secondsSinceEpoch: 1_700_000_000)
            let row = TokenRow(
                accessor: control.makeID(),
                tokenHMAC: control.keyring.hmacs(of: secret, label: "token")[0],
                displayName: "old",
                kind: .service,
                policies: ["admin"],
                createdAt: past,
                expiresAt: past + .seconds(60),
                createdBy: "test"
            )
            try await control.write { database in
                try await TokenRepository.insert(row, guardedBy: control.rowGuard, in: database)
            }
            let error = await refusal {
                try await authenticate(fixture, "tp.\(Base64URL.encode(secret))")
            }
            #expect(error?.code == "token.expired")
        }
    }

    @Test func theBootstrapTokenDiesWithTheFirstAdministrator() async throws {
        try await ControlFixture.with { fixture in
            let bootstrap = try #require(fixture.file.tokens.first)
            let caller = try await authenticate(fixture, bootstrap)
            let plain = TokenRequest(displayName: "ci", policies: ["read-only"])
            _ = try await fixture.control.tokens.create(plain, by: caller)
            _ = try await authenticate(fixture, bootstrap)
            _ = try await fixture.control.tokens.create(adminRequest, by: caller)
            let error = await refusal { try await authenticate(fixture, bootstrap) }
            #expect(error?.code == "token.revoked")
            let audited = try await fixture.audited("token.revoke")
            #expect(audited.map(\.reason) == ["administrator_exists"])
        }
    }

    @Test func theLastAdministratorStays() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            let (first, _) = try await tokens.create(adminRequest, by: fixture.admin)
            let error = await refusal { try await tokens.revoke(first.accessor, by: fixture.admin) }
            #expect(error?.code == "token.last_administrator")
            let (second, _) = try await tokens.create(adminRequest, by: fixture.admin)
            try await tokens.revoke(first.accessor, by: fixture.admin)
            #expect(try await tokens.find(second.accessor).revokedAt == nil)
        }
    }

    @Test func twoAdministratorsCannotRemoveEachOther() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            for _ in 0..<5 {
                let (left, _) = try await tokens.create(adminRequest, by: fixture.admin)
                let right = try await others(than: left.accessor, fixture)
                async let one = refusal {
                    try await tokens.revoke(left.accessor, by: fixture.admin)
                }
                async let two = refusal { try await tokens.revoke(right, by: fixture.admin) }
                let codes = await [one, two].compactMap { $0?.code }
                #expect(codes == ["token.last_administrator"])
                #expect(try await fixture.control.status().administratorCount == 1)
            }
        }
    }

    /// The one other administrator, made if there is none.
    private func others(than accessor: UUIDv7, _ fixture: ControlFixture) async throws -> UUIDv7 {
        let live = try await fixture.control.tokens.list(limit: 1_000).items.filter {
            $0.revokedAt == nil && $0.kind == .service && $0.accessor != accessor
        }
        if let other = live.first { return other.accessor }
        return try await fixture.control.tokens.create(adminRequest, by: fixture.admin)
            .token.accessor
    }

    @Test func nobodyGrantsWhatTheyLack() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            let team = try AccessPolicy.of("team", ["tokens/*": [.create], "services/*": [.read]])
            let caller = ControlFixture.caller("team", [team])
            let error = await refusal { try await tokens.create(adminRequest, by: caller) }
            #expect(error?.code == "policy.beyond_own_rights")
            let sudo = try AccessPolicy.of("boss", ["policies/admin": [.sudo]])
            _ = try await tokens.create(adminRequest, by: ControlFixture.caller("boss", [sudo]))
        }
    }

    @Test(arguments: [
        (TokenRequest(displayName: "", policies: ["admin"]), "display_name"),
        (TokenRequest(displayName: "a\nb", policies: ["admin"]), "display_name"),
        (TokenRequest(displayName: "a", policies: []), "policies"),
        (TokenRequest(displayName: "a", policies: ["admin", "admin"]), "policies"),
        (TokenRequest(displayName: "a", policies: ["nothing"]), "policies"),
        (TokenRequest(displayName: "a", policies: ["admin"], lifetime: .seconds(1)), "ttl"),
        (TokenRequest(displayName: "a", policies: ["admin"], lifetime: .seconds(4e7)), "ttl"),
    ])
    func aWrongRequestNamesItsField(request: TokenRequest, field: String) async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal {
                try await fixture.control.tokens.create(request, by: fixture.admin)
            }
            guard case .invalid(_, let fields) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(fields.map(\.field) == [field])
        }
    }

    @Test func listsGoPageByPage() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            for number in 0..<3 {
                let request = TokenRequest(displayName: "t\(number)", policies: ["read-only"])
                _ = try await tokens.create(request, by: fixture.admin)
            }
            let first = try await tokens.list(limit: 2)
            let mark = try UUIDv7(parsing: try #require(first.next))
            let second = try await tokens.list(after: mark, limit: 5)
            #expect(second.next == nil)
            #expect(
                (first.items + second.items).map(\.displayName)
                    == ["bootstrap", "t0", "t1", "t2"]
            )
        }
    }

    /// A page with a row that counts as absent is shorter, and not the last one for that.
    @Test func aForgedRowHidesNoOther() async throws {
        try await ControlFixture.with { fixture in
            let tokens = fixture.control.tokens
            for number in 0..<3 {
                let request = TokenRequest(displayName: "t\(number)", policies: ["read-only"])
                _ = try await tokens.create(request, by: fixture.admin)
            }
            try await fixture.tamper(
                "UPDATE turnpike.tokens SET policies = '{admin}' WHERE display_name = 't0'"
            )
            let first = try await tokens.list(limit: 2)
            #expect(first.items.map(\.displayName) == ["bootstrap"])
            let mark = try UUIDv7(parsing: try #require(first.next))
            let second = try await tokens.list(after: mark, limit: 2)
            #expect(second.items.map(\.displayName) == ["t1", "t2"])
        }
    }

    /// A copy of the row from before the revocation, tag and all.
    @Test func aRevocationCannotBeTakenBackWithAnOldCopy() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let (row, text) = try await control.tokens.create(adminRequest, by: fixture.admin)
            try await fixture.tamper("CREATE TABLE kept AS SELECT * FROM turnpike.tokens")
            _ = try await control.tokens.create(adminRequest, by: fixture.admin)
            try await control.tokens.revoke(row.accessor, by: fixture.admin)
            try await fixture.tamper(
                """
                UPDATE turnpike.tokens SET revoked_at = kept.revoked_at, mac = kept.mac
                FROM kept WHERE kept.accessor = tokens.accessor
                """
            )
            let error = await refusal {
                try await control.identity.authenticate(
                    token: text,
                    sourceAddress: "",
                    requestID: ""
                )
            }
            #expect(error?.code == "token.unknown")
            let alarms = try await control.status().rowAlarms
            #expect(alarms.contains(RowAlarm(table: "tokens", key: row.accessor.description)))
        }
    }
}

extension Duration {
    fileprivate static func seconds(_ value: Double) -> Duration { .seconds(Int64(value)) }
}
