import Wire

/// A JWS in the compact serialization (RFC 7515 §7.1), taken apart and not verified yet.
///
/// What the header offers to verify it with (`jwk`, `jku`, `x5u`) and what changes how it must be read
/// (`crit`, `b64`) is refused, not passed over.
package struct CompactJWS: Sendable {
    /// The longest text that is looked at.
    package static let textBytesMax = 16 * 1024
    /// The longest name of a key.
    package static let keyIDBytesMax = 256

    private static let headerLimits = DocumentLimits(
        bytes: .kibibytes(8),
        depth: 8,
        nodes: 256
    )
    private static let refused = ["b64", "crit", "jku", "jwk", "x5u"]

    /// What the header claims; counts only together with a key that is for it.
    package let algorithm: JWSAlgorithm
    /// The name of the key, as opaque bytes.
    package let keyID: String?
    /// What kind of token it says it is, such as `at+jwt`.
    package let type: String?
    /// The contents, which nobody vouches for before `JSONWebKeySet.verify`.
    package let payload: [UInt8]

    let signingInput: [UInt8]
    let signature: [UInt8]

    /// Takes a text apart: three parts, strict base64url, a JSON object with different names as header.
    package init(_ text: String) throws(JOSEError) {
        guard text.utf8.count <= Self.textBytesMax else {
            throw .malformed(problem: "it is longer than \(Self.textBytesMax) bytes")
        }
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw .malformed(problem: "a compact JWS has three parts")
        }
        let header = try Self.header(try Self.decode(parts[0]))
        payload = try Self.decode(parts[1])
        signature = try Self.decode(parts[2])
        guard !signature.isEmpty else { throw .malformed(problem: "the signature is missing") }
        signingInput = Array(bytes[..<parts[1].endIndex])
        for name in Self.refused where header[name] != nil {
            throw .malformed(problem: "the header must not have \(name)")
        }
        guard let name = try Self.text(header, "alg") else {
            throw .malformed(problem: "the header must have alg")
        }
        guard let algorithm = JWSAlgorithm(name: name) else {
            if JWSAlgorithm.leftOut.contains(name) {
                throw .unsupported(problem: "the algorithm is left out here")
            }
            throw .malformed(problem: "alg names no algorithm that signs")
        }
        self.algorithm = algorithm
        keyID = try Self.text(header, "kid")
        guard keyID?.utf8.count ?? 0 <= Self.keyIDBytesMax else {
            throw .malformed(problem: "kid is longer than \(Self.keyIDBytesMax) bytes")
        }
        type = try Self.text(header, "typ")
        _ = try Self.text(header, "cty")
    }

    private static func decode(_ part: ArraySlice<UInt8>) throws(JOSEError) -> [UInt8] {
        do {
            return try Base64URL.decode(String(decoding: part, as: UTF8.self))
        } catch {
            throw .malformed(problem: "a part is not strict base64url without padding")
        }
    }

    private static func header(_ bytes: [UInt8]) throws(JOSEError) -> Document {
        let document: Document
        do {
            document = try JSON.parse(bytes, source: "header", limits: headerLimits)
        } catch {
            throw .malformed(problem: "the header is no JSON: \(error.problem)")
        }
        guard document.entries != nil else {
            throw .malformed(problem: "the header must be a JSON object")
        }
        return document
    }

    private static func text(
        _ header: Document,
        _ name: String
    ) throws(JOSEError) -> String? {
        guard let value = header[name] else { return nil }
        guard let text = value.text else {
            throw .malformed(problem: "\(name) must be a string")
        }
        return text
    }
}
