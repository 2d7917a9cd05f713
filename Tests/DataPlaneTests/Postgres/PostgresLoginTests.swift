import Crypto
import Foundation
import Testing
import Wire

@testable import DataPlane

/// The way into a target that proves itself, and every one into a target that does not.
@Suite struct PostgresLoginTests {
    private static let endPoint: [UInt8] = [1, 2, 3, 4]

    private static func account() throws -> PostgresLogin.Account {
        PostgresLogin.Account(
            role: "tp_role",
            database: "orders",
            keys: try SCRAM.Keys(
                of: SecretBytes(copying: Array("secret".utf8)),
                salt: [UInt8](repeating: 7, count: 16)
            )
        )
    }

    private func login() throws -> PostgresLogin {
        PostgresLogin(
            account: try Self.account(),
            options: [PostgresStart.Option(name: "geqo", value: "off")],
            random: [UInt8](repeating: 9, count: SCRAMClient.nonceByteCount)
        )
    }

    private func secured(_ endPoint: [UInt8]? = PostgresLoginTests.endPoint) throws -> PostgresLogin
    {
        var login = try login()
        try login.tlsWasAnswered([UInt8(ascii: "S")])
        _ = try login.begin(endPoint: endPoint)
        return login
    }

    private static func authentication(_ code: Int, _ rest: [UInt8] = []) -> [UInt8] {
        PostgresWire.message("R", PostgresWire.number(code) + rest)
    }

    private static func methods(_ names: String...) -> [UInt8] {
        authentication(10, names.flatMap { PostgresWire.text($0) } + [0])
    }

    private func receive(
        _ bytes: [UInt8],
        _ login: inout PostgresLogin
    ) throws(PostgresLoginFault) -> PostgresLogin.Step {
        var offset = 0
        return try login.receive(bytes.span, from: &offset)
    }

    /// The server's side, from the verifier alone: its answers, and whether the proof was right.
    private struct Server {
        let stored: [UInt8]
        let key: [UInt8]
        let salt: String
        var firstBare = ""
        var first = ""

        init(_ verifier: String) throws {
            let parts = verifier.split(separator: "$").map(String.init)
            let pair = parts[2].split(separator: ":").map(String.init)
            salt = String(parts[1].split(separator: ":")[1])
            stored = try Base64.decode(pair[0])
            key = try Base64.decode(pair[1])
        }

        mutating func challenge(_ message: [UInt8], header: String) -> [UInt8] {
            let text = String(decoding: message, as: UTF8.self)
            firstBare = String(text.dropFirst(header.count))
            let nonce = firstBare.split(separator: ",").last?.dropFirst(2) ?? ""
            first = "r=\(nonce)server,s=\(salt),i=4096"
            return PostgresLoginTests.authentication(11, Array(first.utf8))
        }

        /// The final message, or nil for a proof that is none.
        func final(_ message: [UInt8]) throws -> [UInt8]? {
            let text = String(decoding: message, as: UTF8.self)
            let cut = try #require(text.range(of: ",p="))
            let signed = Array("\(firstBare),\(first),\(text[..<cut.lowerBound])".utf8)
            let proof = try Base64.decode(String(text[cut.upperBound...]))
            let signature = HMACSHA256.tag(of: signed, key: SecretBytes(copying: stored)).bytes
            let clientKey = zip(proof, signature).map { $0 ^ $1 }
            guard SHA256.digest(of: clientKey).bytes == stored else { return nil }
            let answer = HMACSHA256.tag(of: signed, key: SecretBytes(copying: key)).bytes
            return PostgresLoginTests.authentication(12, Array("v=\(Base64.encode(answer))".utf8))
        }
    }

    /// Body of a message that the client sent.
    private func body(_ step: PostgresLogin.Step) throws -> [UInt8] {
        guard case .send(let bytes) = step, bytes.first == UInt8(ascii: "p") else {
            Issue.record("no answer: \(step)")
            return []
        }
        return Array(bytes.dropFirst(5))
    }

    private func proved(
        _ login: inout PostgresLogin,
        offering methods: [UInt8],
        choosing method: String,
        header: String
    ) throws -> [UInt8] {
        var server = try Server(try Self.account().keys.verifier)
        let chosen = try body(try receive(methods, &login))
        #expect(chosen.starts(with: PostgresWire.text(method)))
        let first = Array(chosen.dropFirst(method.utf8.count + 5))
        #expect(first.starts(with: Array(header.utf8)))
        let proof = try body(try receive(server.challenge(first, header: header), &login))
        return try #require(try server.final(proof))
    }

    @Test func targetsThatProveThemselvesOpenASession() throws {
        var login = try login()
        try login.tlsWasAnswered([UInt8(ascii: "S")])
        #expect(
            try login.begin(endPoint: Self.endPoint)
                == PostgresWire.start([
                    ("user", "tp_role"), ("database", "orders"), ("geqo", "off"),
                ])
        )
        let final = try proved(
            &login,
            offering: Self.methods("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
            choosing: "SCRAM-SHA-256-PLUS",
            header: "p=tls-server-end-point,,"
        )
        let parameter = PostgresWire.parameter("server_version", "17.0")
        let rest =
            Self.authentication(0) + parameter
            + PostgresWire.message("K", PostgresWire.number(77) + [1, 2, 3, 4])
            + PostgresWire.message("N", [0]) + PostgresWire.ready("I")
        let step = try receive(final + rest, &login)
        var welcome = PostgresLogin.Welcome()
        welcome.cancelKey = PostgresCancelKey(process: 77, secret: [1, 2, 3, 4])
        welcome.parameters = ["server_version": "17.0"]
        welcome.parameterBytes = parameter
        #expect(step == .ready(welcome))
    }

    /// Who strikes the offer of binding out is found by the server, for it is told.
    @Test func bindingThatIsNotOfferedIsSaid() throws {
        var login = try secured()
        _ = try proved(
            &login,
            offering: Self.methods("SCRAM-SHA-256"),
            choosing: "SCRAM-SHA-256",
            header: "y,,"
        )
        var unbound = try secured(nil)
        _ = try proved(
            &unbound,
            offering: Self.methods("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
            choosing: "SCRAM-SHA-256",
            header: "n,,"
        )
    }

    @Test(arguments: [
        ([], PostgresLoginFault.surplusBeforeTLS), ([0x53, 0x53], .surplusBeforeTLS),
        ([0x53, 0x52, 0, 0], .surplusBeforeTLS), ([0x4E], .noTLS), ([0x45], .noTLS),
    ])
    func onlyOneByteAnswersForTLS(bytes: [UInt8], fault: PostgresLoginFault) throws {
        var login = try login()
        #expect(throws: fault) { try login.tlsWasAnswered(bytes) }
        #expect(throws: PostgresLoginFault.unexpected) { try login.begin(endPoint: nil) }
    }

    @Test(arguments: [
        // A password in clear, by MD5, or nothing that is known.
        (authentication(3), PostgresLoginFault.weakMethod),
        (authentication(5, [1, 2, 3, 4]), .weakMethod), (methods("OAUTHBEARER"), .weakMethod),
        (methods(), .weakMethod), (authentication(0), .noProof),
        (authentication(7), .unexpected), (authentication(11), .unexpected),
        (authentication(12), .unexpected), (PostgresWire.message("R", [0]), .unexpected),
        (authentication(10, [0x41]), .unexpected), (PostgresWire.ready("I"), .unexpected),
        (PostgresWire.parameter("a", "b"), .unexpected), (PostgresWire.message("D"), .unexpected),
        (PostgresWire.error("28000", "no"), .refused(sqlState: "28000")),
        (PostgresWire.error("'; --", "no"), .refused(sqlState: nil)),
        (PostgresWire.message("v"), .protocolFault(.unexpectedMessage(0x76))),
        ([0x52, 0, 1, 0, 0], .protocolFault(.tooLong(0x52))),
    ])
    func otherAnswersEndIt(bytes: [UInt8], fault: PostgresLoginFault) throws {
        var login = try secured()
        #expect(throws: fault) { try receive(bytes, &login) }
        // And nothing opens it again.
        #expect(throws: PostgresLoginFault.self) {
            try receive(Self.methods("SCRAM-SHA-256"), &login)
        }
    }

    /// A server that does not know the verifier is not let go on, whatever it says next.
    @Test func wrongSignaturesAreRefused() throws {
        var login = try secured()
        let final = try proved(
            &login,
            offering: Self.methods("SCRAM-SHA-256"),
            choosing: "SCRAM-SHA-256",
            header: "y,,"
        )
        var skipped = login
        #expect(throws: PostgresLoginFault.noProof) {
            try receive(Self.authentication(0), &skipped)
        }
        var wrong = final
        wrong[wrong.count - 10] ^= 1
        #expect(throws: PostgresLoginFault.self) { try receive(wrong, &login) }
        #expect(throws: PostgresLoginFault.self) {
            try receive(Self.authentication(0), &login)
        }
    }

    @Test func aSessionThatBeginsInATransactionIsRefused() throws {
        var login = try secured()
        let final = try proved(
            &login,
            offering: Self.methods("SCRAM-SHA-256"),
            choosing: "SCRAM-SHA-256",
            header: "y,,"
        )
        let rest = Self.authentication(0) + PostgresWire.ready("T")
        #expect(throws: PostgresLoginFault.unexpected) { try receive(final + rest, &login) }
    }
}
