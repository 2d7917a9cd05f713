import Crypto
import Foundation
import Testing

@testable import turnpike

@Suite struct ServerAccessTests {
    private static func caPath() throws -> String {
        let path = NSTemporaryDirectory() + "turnpike-access-\(UUID().uuidString).pem"
        let root = try ScriptedServer.makeRoot()
        try root.certificate.pem.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test(arguments: ["TURNPIKE_ADDR", "TURNPIKE_CACERT", "TURNPIKE_TOKEN"])
    func missingSettingsSayWhatToDo(_ name: String) throws {
        var environment = [
            "TURNPIKE_ADDR": "https://localhost:7400", "TURNPIKE_CACERT": try Self.caPath(),
            "TURNPIKE_TOKEN": "tp.secret",
        ]
        environment[name] = nil
        let failure = try #require(throws: Failure.self) { try ServerAccess(environment) }
        #expect(failure.problems[0].contains("\(name) "))
        #expect(failure.hint?.hasPrefix("export \(name)") == true)
        #expect(failure.code == (name == "TURNPIKE_TOKEN" ? .refused : .usage))
    }

    @Test(arguments: [
        ("https://localhost:7400", "localhost", 7400), ("https://localhost/", "localhost", 7400),
        ("10.0.0.1:1234", "10.0.0.1", 1234), ("https://[::1]:7", "::1", 7),
    ])
    func addressesAreRead(_ text: String, _ host: String, _ port: Int) throws {
        let access = try ServerAccess([
            "TURNPIKE_ADDR": text, "TURNPIKE_CACERT": try Self.caPath(),
            "TURNPIKE_TOKEN": "tp.secret",
        ])
        #expect(access.host == host)
        #expect(Int(access.port) == port)
    }

    @Test(arguments: ["http://localhost", "https://", "https://a/b", "https://u@h:1", "a b"])
    func otherAddressesAreRefused(_ text: String) throws {
        let failure = try #require(throws: Failure.self) {
            try ServerAccess(["TURNPIKE_ADDR": text])
        }
        #expect(failure.code == .usage)
        #expect(failure.hint?.contains("https://HOST:7400") == true)
    }

    @Test(arguments: [(0o600, true), (0o644, false)])
    func tokenFilesMustBePrivate(_ mode: Int, _ isAccepted: Bool) throws {
        let path = NSTemporaryDirectory() + "turnpike-token-\(UUID().uuidString)"
        try "tp.secret\n".write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let environment = [
            "TURNPIKE_ADDR": "https://localhost:7400", "TURNPIKE_CACERT": try Self.caPath(),
            "TURNPIKE_TOKEN_FILE": path,
        ]
        guard isAccepted else {
            let failure = try #require(throws: Failure.self) { try ServerAccess(environment) }
            #expect(failure.text.contains(path))
            return
        }
        #expect(try ServerAccess(environment).token == "tp.secret")
    }

    @Test func certificateTroubleNamesTheFile() throws {
        let path = NSTemporaryDirectory() + "turnpike-empty-\(UUID().uuidString).pem"
        try "nothing".write(toFile: path, atomically: false, encoding: .utf8)
        for path in [path, path + ".missing"] {
            let failure = try #require(throws: Failure.self) {
                try ServerAccess(["TURNPIKE_ADDR": "https://h:1", "TURNPIKE_CACERT": path])
            }
            #expect(failure.text.contains(path))
        }
    }

    @Test func pathsAreEncoded() {
        let path = APIPath("audit").with("actor", "token/a b&c=d").with("since", nil)
            .with("limit", "5")
        #expect(path.text == "/v1/audit?actor=token%2Fa%20b%26c%3Dd&limit=5")
        #expect(APIPath("intentions", "default", "*").text == "/v1/intentions/default/*")
    }
}
