import Crypto
import Testing
import Wire

/// The exchange of RFC 7677 section 3, seen from the client, and servers that are not what they say.
@Suite struct SCRAMClientTests {
    private static let nonce = "rOprNGfwEbeRWgbNEkqO"
    private static let salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    private static let serverNonce = nonce + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    private static let first = "r=\(serverNonce),s=\(salt),i=4096"
    private static let signature = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    private func client(
        _ binding: SCRAMClient.ChannelBinding = .none
    ) throws -> SCRAMClient {
        let keys = try SCRAM.Keys(
            of: SecretBytes(copying: Array("pencil".utf8)),
            salt: try Base64.decode(Self.salt)
        )
        return SCRAMClient(keys: keys, nonce: Self.nonce, user: "user", binding: binding)
    }

    @Test func exchangeOfTheStandard() throws {
        var client = try client()
        #expect(client.mechanism == "SCRAM-SHA-256")
        #expect(client.begin() == Array("n,,n=user,r=\(Self.nonce)".utf8))
        let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        #expect(
            try client.answer(Array(Self.first.utf8))
                == Array("c=biws,r=\(Self.serverNonce),\(proof)".utf8)
        )
        try client.finish(Array(Self.signature.utf8))
    }

    @Test(arguments: [
        ("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SCRAMFault.wrongSignature),
        ("v=6rriTRBi23WpRR/wtup+mA==", .wrongSignature), ("v=", .wrongSignature),
        ("v=?", .malformed), ("", .malformed), ("e=other-error", .refused),
        ("x=1", .malformed), (signature + ",x=1", .malformed),
    ])
    func onlyTheRightSignatureEndsIt(message: String, fault: SCRAMFault) throws {
        var client = try client()
        _ = client.begin()
        _ = try client.answer(Array(Self.first.utf8))
        #expect(throws: fault) { try client.finish(Array(message.utf8)) }
        // What failed stays failed.
        #expect(throws: SCRAMFault.outOfOrder) { try client.finish(Array(Self.signature.utf8)) }
    }

    @Test(arguments: [
        ("r=other,s=\(salt),i=4096", SCRAMFault.otherNonce),
        ("r=\(nonce),s=\(salt),i=4096", .otherNonce),
        ("r=\(serverNonce),s=\(salt),i=4095", .otherVerifier),
        ("r=\(serverNonce),s=\(salt),i=04096", .otherVerifier),
        ("r=\(serverNonce),s=AAAA,i=4096", .otherVerifier),
        ("m=x,r=\(serverNonce),s=\(salt),i=4096", .malformed),
        ("r=\(serverNonce),s=\(salt)", .malformed),
        ("s=\(salt),r=\(serverNonce),i=4096", .malformed),
        ("r=\(serverNonce),s=\(salt),i=4096,t=9", .malformed),
        ("", .malformed), ("r=\(serverNonce)\n,s=\(salt),i=4096", .malformed),
    ])
    func firstMessageIsReadStrictly(message: String, fault: SCRAMFault) throws {
        var client = try client()
        _ = client.begin()
        #expect(throws: fault) { try client.answer(Array(message.utf8)) }
    }

    @Test func nothingIsProvedOutOfOrder() throws {
        var client = try client()
        #expect(throws: SCRAMFault.outOfOrder) { try client.answer(Array(Self.first.utf8)) }
        _ = client.begin()
        #expect(throws: SCRAMFault.outOfOrder) { try client.finish(Array(Self.signature.utf8)) }
    }

    /// The header and the certificate's hash are part of what is proved.
    @Test func bindingIsSaidAndProved() throws {
        var bound = try client(.serverEndPoint([1, 2, 3]))
        #expect(bound.mechanism == "SCRAM-SHA-256-PLUS")
        #expect(
            String(decoding: bound.begin(), as: UTF8.self)
                .hasPrefix("p=tls-server-end-point,,n=user")
        )
        let answer = String(
            decoding: try bound.answer(Array(Self.first.utf8)),
            as: UTF8.self
        )
        let said = Base64.encode(Array("p=tls-server-end-point,,".utf8) + [1, 2, 3])
        #expect(answer.hasPrefix("c=\(said),"))
        #expect(!answer.hasSuffix("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
        var stripped = try client(.notOffered)
        #expect(stripped.begin().starts(with: Array("y,,".utf8)))
    }
}
