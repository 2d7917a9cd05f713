package import Crypto
import Mesh
import Store
import Wire

/// Where a sealed secret belongs; it opens nowhere else.
package struct SealedPlace: Equatable, Sendable {
    package let table: String
    package let column: String
    /// The primary key as text.
    package let key: String
    /// The row's own version, so that an older secret of the same row does not open.
    package let version: Int64

    package init(table: String, column: String, key: String, version: Int64 = 1) {
        self.table = table
        self.column = column
        self.key = key
        self.version = version
    }

    var parts: [String] { [table, column, key, String(version)] }
}

extension Keyring {
    private static let saltByteCount = 16

    /// Seals a secret of a row under a key of its own; the form is key version, salt, box.
    package func seal(
        _ secret: SecretBytes,
        for purpose: Purpose,
        at place: SealedPlace,
        randomBytes: (Int) -> [UInt8]
    ) throws(KeyError) -> [UInt8] {
        let version = versions[purpose]?.active ?? 0
        let salt = randomBytes(Self.saltByteCount)
        let key = try rowKey(purpose, version, salt, place)
        var writer = ByteWriter()
        writer.writeUInt32(UInt32(clamping: version))
        writer.writeBytes(salt)
        writer.writeBytes(
            try SealedBox.seal(
                secret,
                key: key,
                nonce: randomBytes(AEAD.nonceByteCount),
                context: context(purpose, version, place)
            )
        )
        return writer.bytes
    }

    /// Opens a secret of a row at the place it was sealed for.
    package func open(
        _ sealed: [UInt8],
        for purpose: Purpose,
        at place: SealedPlace
    ) throws(KeyError) -> SecretBytes {
        let what = "\(place.table).\(place.column) of \(place.key)"
        var reader = ByteReader(sealed)
        guard let number = try? reader.readUInt32(),
            let salt = try? reader.readBytes(Self.saltByteCount)
        else { throw .altered(what) }
        let version = Int(number)
        return try SealedBox.open(
            reader.readRest(),
            key: try rowKey(purpose, version, salt, place),
            context: context(purpose, version, place),
            what: what
        )
    }

    /// The version of a purpose's key that new work is done with.
    func activeVersion(of purpose: Purpose) -> Int { versions[purpose]?.active ?? 0 }

    /// What stands for a row in the hash of a set of rows; nobody without the key can make one.
    func member(
        _ content: [UInt8],
        of purpose: Purpose,
        version: Int
    ) throws(KeyError) -> [UInt8] {
        guard let key = versions[purpose]?.keys[version] else {
            throw .missing(purpose: purpose.rawValue, version: version)
        }
        do throws(CryptoError) {
            let setKey = try HKDF.derive(
                from: key,
                info: SealedBox.associatedBytes(["turnpike set of rows", purpose.rawValue]),
                count: Self.keyByteCount
            )
            return HMACSHA256.tag(of: content, key: setKey).bytes
        } catch {
            throw .backend
        }
    }

    /// The keyed hashes of a bearer secret, one per version of the key, the active one first.
    ///
    /// `label` keeps secrets of different kinds apart, such as `token` and `join-token`.
    package func hmacs(of secret: [UInt8], label: String) -> [[UInt8]] {
        guard let ring = versions[.tokenHMAC] else { return [] }
        let message = SealedBox.associatedBytes([label]) + secret
        let order = ring.keys.keys.sorted { left, right in
            left == ring.active || (right != ring.active && left > right)
        }
        return order.compactMap { version in
            ring.keys[version].map { HMACSHA256.tag(of: message, key: $0).bytes }
        }
    }

    private func rowKey(
        _ purpose: Purpose,
        _ version: Int,
        _ salt: [UInt8],
        _ place: SealedPlace
    ) throws(KeyError) -> SecretBytes {
        guard let key = versions[purpose]?.keys[version] else {
            throw .missing(purpose: purpose.rawValue, version: version)
        }
        do throws(CryptoError) {
            return try HKDF.derive(
                from: key,
                salt: salt,
                info: SealedBox.associatedBytes(["turnpike row key"] + place.parts),
                count: Self.keyByteCount
            )
        } catch {
            throw .backend
        }
    }

    private func context(
        _ purpose: Purpose,
        _ version: Int,
        _ place: SealedPlace
    ) -> [String] {
        [
            "turnpike row", cluster.trustDomain.text, cluster.id.description, purpose.rawValue,
            String(version),
        ] + place.parts
    }
}
