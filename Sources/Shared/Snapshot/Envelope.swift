package import Crypto
import Wire

/// Why bytes are no envelope, section, manifest or trust document of ours.
package struct SnapshotFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and where; holds no part of the input's values.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Reads JSON of which there is exactly one spelling: sorted keys, no spaces, no duplicates, no
/// unknown fields, nothing behind the end.
enum CanonicalJSON {
    static func read<T>(
        _ bytes: [UInt8],
        limits: DocumentLimits = .file,
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(SnapshotFormatError) -> T {
        let parsed: Document?
        do {
            parsed = try JSON.parse(canonical: bytes, source: "snapshot", limits: limits)
        } catch {
            throw SnapshotFormatError("\(error)")
        }
        // Two spellings of one value would be two hashes of one section.
        guard let document = parsed else {
            throw SnapshotFormatError("the JSON is not in its canonical form")
        }
        do {
            return try FieldReader.read(document, body)
        } catch {
            throw SnapshotFormatError("\(error)")
        }
    }
}

extension FieldValue {
    /// A SHA-256 hash as 64 lower-case hexadecimal digits.
    func digest() throws(FieldError) -> SHA256Digest {
        guard let text = document.text,
            let digest = SHA256Digest(hex: text, allowingUppercase: false)
        else { throw error("this is no hash", hint: "write 64 lower-case hexadecimal digits") }
        return digest
    }

    /// Bytes as padded base64.
    func bytes(limit: Int) throws(FieldError) -> [UInt8] {
        let text = try string(bytes: 0...(limit / 3 * 4 + 4))
        // Strict: there is one text of given bytes.
        guard let bytes = try? Base64.decode(text), bytes.count <= limit else {
            throw error("this is no base64 of that length", hint: "write padded base64")
        }
        return bytes
    }

    /// An unsigned number of 63 bits.
    func counter() throws(FieldError) -> UInt64 {
        UInt64(try int(in: 0...Int.max))
    }
}

/// A signed payload (DSSE 1.0), not yet verified.
///
/// The algorithm is a property of the key that we know by its id, never of the message.
package struct Envelope: Hashable, Sendable {
    /// The most bytes of an encoded envelope: what one frame can carry.
    package static let encodedMaxBytes = 1 << 20
    /// The most signatures that are looked at.
    package static let signaturesMax = 64

    /// One signature and the id of the key that is said to have made it.
    package struct Signature: Hashable, Sendable {
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        package let keyID: SHA256Digest
        /// The signature over the pre-authentication encoding.
        package let bytes: [UInt8]

        package init(keyID: SHA256Digest, bytes: [UInt8]) {
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    /// What kind of payload it is; part of what is signed.
    package let payloadType: String
    /// The signed bytes.
    package let payload: [UInt8]
    /// In the order of the message.
    package let signatures: [Signature]

    package init(payloadType: String, payload: [UInt8], signatures: [Signature]) {
        self.payloadType = payloadType
        self.payload = payload
        self.signatures = signatures
    }

    /// Signs a payload with Ed25519 keys; `memory` then knows the signatures for genuine.
    package init(
        signing payload: [UInt8],
        type payloadType: String,
        by keys: [SigningKey],
        remembering memory: SignatureMemory? = nil
    ) throws(CryptoError) {
        let image = Self.preAuthenticationEncoding(type: payloadType, payload: payload)
        var signatures: [Signature] = []
        for key in keys {
            signatures.append(
                Signature(keyID: key.publicKey.keyID, bytes: try key.sign(image, as: .ed25519))
            )
        }
        self.init(payloadType: payloadType, payload: payload, signatures: signatures)
        guard let memory else { return }
        let imageHash = SHA256.digest(of: image)
        for signature in signatures { memory.remember(signature, of: imageHash) }
    }

    /// Reads the one spelling of an envelope.
    package init(encoded: [UInt8]) throws(SnapshotFormatError) {
        guard encoded.count <= Self.encodedMaxBytes else {
            throw SnapshotFormatError("the envelope is larger than \(Self.encodedMaxBytes) bytes")
        }
        self = try CanonicalJSON.read(encoded) { reader throws(FieldError) in
            Envelope(
                payloadType: try reader.string("payloadType", bytes: 1...128),
                payload: try reader.required("payload").bytes(limit: Self.encodedMaxBytes),
                signatures: try reader.maps("signatures", limit: Self.signaturesMax) {
                    signature throws(FieldError) in
                    Signature(
                        keyID: try signature.required("keyid").digest(),
                        bytes: try signature.required("sig").bytes(limit: 64)
                    )
                }
            )
        }
    }

    /// The one spelling of this envelope.
    package var encoded: [UInt8] {
        var writer = CanonicalWriter(
            reservingCapacity: payload.count / 3 * 4 + 128 + signatures.count * 200
        )
        writer.map { map in
            map.key("payload")
            map.base64(payload)
            map.field("payloadType", payloadType)
            map.key("signatures")
            map.list(signatures) { list, signature in
                list.map { map in
                    map.field("keyid", signature.keyID.hex)
                    map.key("sig")
                    map.base64(signature.bytes)
                }
            }
        }
        return writer.bytes
    }

    /// SHA-256 of the payload: by it signed documents refer to each other.
    package var payloadHash: SHA256Digest { SHA256.digest(of: payload) }

    /// The ids of those of `keys` that have validly signed.
    ///
    /// Keys of another kind than Ed25519 sign nothing here. What `memory` holds is not computed again.
    package func signers(
        among keys: some Sequence<PublicKey>,
        remembering memory: SignatureMemory? = nil
    ) -> Set<SHA256Digest> {
        let image = Self.preAuthenticationEncoding(type: payloadType, payload: payload)
        let imageHash = memory.map { _ in SHA256.digest(of: image) }
        var signers: Set<SHA256Digest> = []
        var asked: Set<SHA256Digest> = []
        // The keys of two trust documents are mostly the same: each is asked once.
        for key in keys where key.kind == .ed25519 && asked.insert(key.keyID).inserted {
            let keyID = key.keyID
            let isSigned = signatures.contains { signature in
                guard signature.keyID == keyID else { return false }
                func verify() -> Bool {
                    key.isValid(signature: signature.bytes, of: image, as: .ed25519)
                }
                guard let memory, let imageHash else { return verify() }
                return memory.holds(signature, of: imageHash, verify: verify)
            }
            if isSigned { signers.insert(keyID) }
        }
        return signers
    }

    /// What is signed: type and payload with their lengths, so that neither can run into the other.
    static func preAuthenticationEncoding(type: String, payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }
}
