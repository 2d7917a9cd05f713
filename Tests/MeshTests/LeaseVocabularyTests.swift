import Mesh
import Testing
import Wire

/// Names, ids, roles and statements of leases.
@Suite struct LeaseVocabularyTests {
    private func id(_ seed: UInt8) -> UUIDv7 {
        UUIDv7(
            timestamp: Timestamp(secondsSinceEpoch: 1_800_000_000),
            random: (0..<10).map { seed &+ $0 &* 37 }
        )
    }

    @Test(arguments: [
        "reader", "app_reader", "a", "A.b-c_1", "my-role", String(repeating: "x", count: 63),
    ])
    func namesOfClientsAreTaken(text: String) throws {
        #expect(try ProfileName(text).text == text)
        #expect(try TargetName(text).text == text)
    }

    @Test(arguments: [
        "", "-a", "a-", ".a", "a..b", "a/b", "a b", "ä", "a\u{0}",
        String(repeating: "x", count: 64),
    ])
    func otherNamesAreRefused(text: String) {
        #expect(throws: NameError.self) { try ProfileName(text) }
        #expect(throws: NameError.self) { try TargetName(text) }
    }

    @Test func idIsReadBackAndNothingElseIs() throws {
        for seed in UInt8.min...UInt8.max {
            let lease = LeaseID(profile: try ProfileName("reader"), id: id(seed))
            #expect(try LeaseID(lease.description) == lease)
        }
        let text = LeaseID(profile: try ProfileName("reader"), id: id(1)).description
        #expect(text.hasPrefix("database/creds/reader/"))
        #expect(text.split(separator: "/").last?.count == 26)
        for wrong in [
            "", "database/creds/reader", text + "a", String(text.dropLast()), text.uppercased(),
            "secret/" + text, text.replacing("reader", with: "../x"), text + "/",
            // The last character holds three bits that count for nothing: one spelling only.
            String(text.dropLast()) + (text.hasSuffix("b") ? "c" : "b"),
        ] {
            #expect(throws: NameError.self) { try LeaseID(wrong) }
        }
    }

    @Test func roleIsKnownByNameAndMarkTogether() throws {
        let role = LeasedRole(lease: id(1), cluster: id(2), generation: 3)
        #expect(role.name.utf8.count == 29)
        #expect(LeasedRole(name: role.name, marker: role.marker) == role)
        let other = LeasedRole(lease: id(9), cluster: id(2), generation: 3)
        #expect(LeasedRole(name: other.name, marker: role.marker) == nil)
        #expect(LeasedRole(name: role.name, marker: role.marker + " ") == nil)
        #expect(LeasedRole(name: role.name, marker: "") == nil)
        #expect(
            LeasedRole(
                name: role.name,
                marker: role.marker.replacing("generation=3", with: "generation=03")
            ) == nil
        )
    }

    @Test func placeholdersAreFilled() throws {
        let template = try #require(
            StatementTemplate("CREATE ROLE \"{{name}}\" PASSWORD '{{password}}' -- {{username}}")
        )
        #expect(template.namesRole)
        #expect(
            template.filled(name: "tp_a", password: "SCRAM-SHA-256$1:a=$b=:c=", expiration: "")
                == "CREATE ROLE \"tp_a\" PASSWORD 'SCRAM-SHA-256$1:a=$b=:c=' -- tp_a"
        )
        #expect(StatementTemplate("SELECT '{}'")?.namesRole == false)
    }

    /// L20: no value ends the quotes around it, and no braces hide another statement.
    @Test func nothingElseIs() throws {
        for statement in ["{{", "{{name", "{{ name }}", "{{other}}", "{{name}} {{", "{{{name}}}"] {
            #expect(StatementTemplate(statement) == nil, "\(statement)")
        }
        let template = try #require(StatementTemplate("'{{name}}'"))
        for name in ["a'b", "a\"b", "a\\b", "a;b", "a\nb", "ä", "{{name}}"] {
            #expect(template.filled(name: name, password: "", expiration: "") == nil, "\(name)")
        }
    }

    @Test func stateLeadsToAnEnd() {
        #expect(LeaseState.allCases.filter { !$0.isOpen } == [.revoked, .aborted])
    }

    @Test func prefixesAreWholeSegments() throws {
        let id = LeaseID(profile: try ProfileName("reader"), id: try UUIDv7(parsing: Self.uuid))
        for text in ["database", "database/", "database/creds", "/database//creds/"] {
            #expect(try LeasePrefix(text) == .all)
        }
        #expect(try LeasePrefix("database/creds/reader/") == .profile(id.profile))
        #expect(try LeasePrefix(id.description) == .lease(id))
        for text in [
            "", "data", "secret/data/x", "database/config", "database/creds/a b",
            "database/creds/reader/x", "\(id)/x", "auth/token/create",
        ] {
            #expect(throws: NameError.self) { try LeasePrefix(text) }
        }
    }

    private static let uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
}
