import Crypto
import Wire

extension Suite {
    static let ecdsa = signature("ecdsa", .ecdsaP256, .ecdsaDER(.sha256))
    static let ecdsaP1363 = signature("ecdsa-p1363", .ecdsaP256, .ecdsaP1363(.sha256))
    static let ecdsa384 = signature("ecdsa384", .ecdsaP384, .ecdsaDER(.sha384))
    static let ed25519 = signature("ed25519", .ed25519, .ed25519)
    static let rsa = signature("rsa", .rsa(bits: 2048), .rsaPKCS1(.sha256))
    static let rsaPSS = signature("rsapss", .rsa(bits: 2048), .rsaPSS(.sha256))

    /// Verifies one signature; the suite's name fixes the kind of the key and the scheme.
    private static func signature(
        _ name: String,
        _ kind: KeyKind,
        _ scheme: SignatureScheme
    ) -> Suite {
        Suite(name: name, refusal: "invalid") { reader in
            let key = try PublicKey(spki: reader.hexBytes("public_key"))
            guard key.kind == kind else {
                return .result("invalid", reason: "the key is \(key.kind), not \(kind)")
            }
            let message = try reader.hexBytes("message")
            let signature = try reader.hexBytes("signature")
            let isValid = key.isValid(signature: signature, of: message, as: scheme)
            return .result(isValid ? "valid" : "invalid")
        }
    }
}

extension FieldReader {
    /// Bytes in lower-case hexadecimal, possibly none.
    mutating func hexBytes(_ name: String) throws -> [UInt8] {
        try required(name).string(bytes: 0...(1 << 20)).decodedHex()
    }
}

extension String {
    fileprivate func decodedHex() throws -> [UInt8] {
        try Hex.decode(self, allowingUppercase: false)
    }
}
