import Mesh
import Testing
import Wire

/// Only what a server keeps as it is may be sent in place of a password.
@Suite struct SCRAMVerifierTests {
    private static let salt = Base64.encode([UInt8](repeating: 1, count: 16))
    private static let key = Base64.encode([UInt8](repeating: 2, count: 32))

    @Test func theOneSpellingIsKept() throws {
        let text = "SCRAM-SHA-256$4096:\(Self.salt)$\(Self.key):\(Self.key)"
        #expect(try SCRAMVerifier(text).text == text)
    }

    @Test(arguments: [
        "", "secret", "md5d41d8cd98f00b204e9800998ecf8427e",
        "SCRAM-SHA-256$4095:\(salt)$\(key):\(key)", "SCRAM-SHA-256$04096:\(salt)$\(key):\(key)",
        "SCRAM-SHA-256$1000001:\(salt)$\(key):\(key)", "SCRAM-SHA-256$x:\(salt)$\(key):\(key)",
        "SCRAM-SHA-256$4096:AAAA$\(key):\(key)", "SCRAM-SHA-256$4096:\(salt)$\(key):AAAA",
        "SCRAM-SHA-256$4096:\(salt)$\(key)", "SCRAM-SHA-256$4096$\(key):\(key)",
        "SCRAM-SHA-256$4096:\(salt)$\(key):\(key):", "SCRAM-SHA-256$4096:\(salt)$\(key):\(key)$",
        "scram-sha-256$4096:\(salt)$\(key):\(key)", "SCRAM-SHA-1$4096:\(salt)$\(key):\(key)",
        "SCRAM-SHA-256$4096:\(salt)$\(key):\(key)' --", " SCRAM-SHA-256$4096:\(salt)$\(key):\(key)",
    ])
    func everythingElseIsRefused(text: String) {
        #expect(throws: InvalidField.self) { try SCRAMVerifier(text) }
    }
}
