import Crypto
import Wire

/// AES-256-GCM over one secret, bound to where it belongs.
enum SealedBox {
    /// A format byte that is unknown is an error, never "try the old one".
    private static let format: UInt8 = 1

    /// Seals with a nonce of twelve random bytes; `context` must be given again to open.
    static func seal(
        _ secret: SecretBytes,
        key: SecretBytes,
        nonce: [UInt8],
        context: [String]
    ) throws(KeyError) -> [UInt8] {
        do throws(CryptoError) {
            let sealed = try secret.withBytes { bytes throws(CryptoError) in
                try AEAD.seal(
                    bytes,
                    key: key,
                    nonce: nonce,
                    associatedData: associatedBytes(context)
                )
            }
            return [format] + nonce + sealed
        } catch {
            throw .backend
        }
    }

    /// Opens what `seal` gave, for the same context only; `what` is for the error.
    static func open(
        _ box: [UInt8],
        key: SecretBytes,
        context: [String],
        what: String
    ) throws(KeyError) -> SecretBytes {
        guard box.first == format else { throw .unknownFormat(what) }
        let start = 1 + AEAD.nonceByteCount
        guard box.count >= start + AEAD.tagByteCount else { throw .altered(what) }
        do throws(CryptoError) {
            var plain = try AEAD.open(
                Array(box[start...]),
                key: key,
                nonce: Array(box[1..<start]),
                associatedData: associatedBytes(context)
            )
            return SecretBytes(taking: &plain)
        } catch {
            throw .altered(what)
        }
    }

    /// Every part with its length, so that no part can run into another.
    static func associatedBytes(_ parts: [String]) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeUInt8(format)
        for part in parts {
            let bytes = Array(part.utf8)
            writer.writeUInt64(UInt64(bytes.count))
            writer.writeBytes(bytes)
        }
        return writer.bytes
    }
}
