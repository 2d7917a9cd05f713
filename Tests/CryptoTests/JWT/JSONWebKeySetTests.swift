import Crypto
import Testing
import Wire

/// The examples of the RFCs, and what only callers in this house can ask; the rest is asked by
/// turnpike-conformance with cases of another implementation.
struct JSONWebKeySetTests {
    private static let payload = """
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl\
        fQ
        """
    // RFC 7515 A.3, and A.1 with its shared key; RFC 8037 A.4.
    private static let p256 = """
        {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",\
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        """
    private static let es256 = """
        eyJhbGciOiJFUzI1NiJ9.\(payload).DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I\
        SlSApmWQxfKTUJqPP3-Kg6NU1Q
        """
    private static let secret = """
        {"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwj\
        AzZr1Z9CAow"
        """
    private static let hs256 = """
        eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(payload).dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE\
        jXk
        """
    private static let edwards = """
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        """
    private static let edDSA = """
        eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg\
        3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg
        """

    private func set(_ text: String) throws -> JSONWebKeySet {
        try JSONWebKeySet(try JSON.parse(text))
    }

    @Test func verifiesTheExamplesOfTheStandards() throws {
        let jws = try CompactJWS(Self.es256)
        #expect(jws.algorithm == .es256 && jws.keyID == nil && jws.type == nil)
        let contents = try set(Self.p256 + "}").verify(jws)
        #expect(contents == (try Base64URL.decode(Self.payload)))
        let edwards = try CompactJWS(Self.edDSA)
        #expect(
            try set(Self.edwards + "}").verify(edwards) == Array("Example of Ed25519 signing".utf8)
        )
        let shared = try CompactJWS(Self.hs256)
        #expect(shared.type == "JWT")
        #expect(try set(Self.secret + "}").verify(shared, allowing: [.hs256]) == contents)
    }

    @Test func sharedKeysCountOnlyWhereTheyAreAskedFor() throws {
        let jws = try CompactJWS(Self.hs256)
        #expect(throws: JOSEError.wrongAlgorithm) { try set(Self.secret + "}").verify(jws) }
        let text = #"{"keys":[\#(Self.secret)}]}"#
        #expect(throws: JOSEError.self) { try JSONWebKeySet(publicText: Array(text.utf8)) }
        #expect(JWSAlgorithm.asymmetric.isDisjoint(with: [.hs256, .hs384, .hs512]))
        #expect(JWSAlgorithm.asymmetric.count == 10)
    }

    @Test func theCallerNarrowsTheAlgorithms() throws {
        let jws = try CompactJWS(Self.es256)
        let keys = try set(Self.p256 + "}")
        #expect(throws: JOSEError.wrongAlgorithm) {
            try keys.verify(jws, allowing: [.rs256, .edDSA])
        }
        #expect(throws: JOSEError.wrongAlgorithm) {
            try keys.verify(try CompactJWS(Self.edDSA))
        }
    }

    @Test func keysWithoutNamesAreTriedInTurn() throws {
        let own = try SigningKey.generate(.ecdsaP256)
        let stranger = try SigningKey.generate(.ecdsaP256)
        let other = try SigningKey.generate(.ed25519)
        let header = Base64URL.encode(Array(#"{"alg":"ES256","kid":"whatever"}"#.utf8))
        let input = "\(header).\(Base64URL.encode([0x7B, 0x7D]))"
        let signature = try own.sign(Array(input.utf8), as: .ecdsaP1363(.sha256))
        let jws = try CompactJWS("\(input).\(Base64URL.encode(signature))")
        let keys = try [other, stranger, own].map { try JSONWebKey($0.publicKey) }
        #expect(try JSONWebKeySet(trying: keys).verify(jws) == [0x7B, 0x7D])
        #expect(try JSONWebKeySet(trying: keys).has(keyID: "whatever"))
        #expect(throws: JOSEError.wrongSignature) {
            try JSONWebKeySet(trying: Array(keys.dropLast())).verify(jws)
        }
        #expect(throws: JOSEError.wrongAlgorithm) {
            try JSONWebKeySet(trying: Array(keys.prefix(1))).verify(jws)
        }
        #expect(throws: JOSEError.self) { try JSONWebKeySet(trying: []) }
    }

    @Test func tellsWhichNamesItHas() throws {
        let named = try set(#"{"keys":[\#(Self.p256),"kid":"a"},\#(Self.edwards),"kid":"b"}]}"#)
        #expect(named.has(keyID: "a") && named.has(keyID: "b") && named.has(keyID: nil))
        #expect(!named.has(keyID: "c"))
        #expect(try set(Self.p256 + "}").has(keyID: "anything"))
        #expect(named.keys.map(\.algorithms) == [[.es256], [.edDSA]])
        #expect(throws: JOSEError.keyNotNamed) { try named.verify(try CompactJWS(Self.es256)) }
    }

    @Test(arguments: [
        "", "{}", "[]", "not JSON", #"{"keys":7}"#, #"{"keys":[]}"#,
        #"{"keys":[],"keys":[]}"#, p256 + "}", #"{"keys":[\#(p256)"#,
    ])
    func refusesWhatIsNoPublishedSet(text: String) {
        #expect(throws: JOSEError.self) { try JSONWebKeySet(publicText: Array(text.utf8)) }
    }

    @Test func readsAPublishedSetUpToItsLimit() throws {
        let text = #"{"keys":[\#(Self.p256)}]}"#
        #expect(try JSONWebKeySet(publicText: Array(text.utf8)).keys.count == 1)
        let room = JSONWebKeySet.textBytesMax - text.utf8.count
        let padded = text + String(repeating: " ", count: room)
        #expect(try JSONWebKeySet(publicText: Array(padded.utf8)).keys.count == 1)
        #expect(throws: JOSEError.self) {
            try JSONWebKeySet(publicText: Array((padded + " ").utf8))
        }
    }

    @Test func refusalsShowNothingOfToken() throws {
        let errors: [JOSEError] = [
            .malformed(problem: "x"), .unsupported(problem: "x"), .unusableKey(problem: "x"),
            .otherPurpose(problem: "x"), .unknownKey, .keyNotNamed, .wrongAlgorithm,
            .wrongSignature,
        ]
        #expect(Set(errors.map(\.code)).count == errors.count)
        #expect(errors.allSatisfy { !$0.description.isEmpty })
        do {
            _ = try CompactJWS("planted-secret.planted-secret.planted secret")
            Issue.record("accepted")
        } catch {
            #expect(!error.description.contains("planted"))
        }
    }
}
