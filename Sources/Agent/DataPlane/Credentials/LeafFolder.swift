package import Crypto
package import Mesh
package import Reactor
import Snapshot
package import Wire

/// Keys and certificates of services on disk, `<namespace>.<service>.pem` each.
///
/// Chain and key are one file, so that a crash cannot tear them apart; a `.key` beside it is read
/// as well, for directories that were prepared elsewhere.
package struct LeafFolder: Sendable {
    private let folder: AgentFolder

    package init(_ folder: AgentFolder) {
        self.folder = folder
    }

    /// A certificate of a service with its dates.
    package struct Leaf: Sendable {
        /// What the data path presents.
        package let identity: ServiceIdentity
        /// The dates of the leaf.
        package let notBefore: Timestamp
        /// The last second of the leaf.
        package let notAfter: Timestamp
    }

    /// The certificate of a service; nil where there is none.
    ///
    /// An expired one is returned as well: the data path refuses to present it.
    package func read(_ service: ServiceName) throws(EnrolmentError) -> Leaf? {
        let path = certificatePath(service)
        guard let pair = try KeyPairFile.read(certificate: path, key: keyPath(service)) else {
            return nil
        }
        do {
            return try Self.leaf(chain: pair.chain, key: pair.key)
        } catch {
            throw .unreadable(file: path, problem: "\(error)")
        }
    }

    /// Brings a certificate and its key to disk and gives what the data path presents.
    package func write(
        chain: [[UInt8]],
        key: SigningKey,
        of service: ServiceName
    ) throws(EnrolmentError) -> Leaf {
        let path = certificatePath(service)
        do {
            var secret = try Self.bytes(of: key)
            defer { SecretBytes.wipe(&secret) }
            let leaf = try Self.leaf(chain: chain, key: secret)
            let blocks =
                chain.map { PEM.Block(label: Certificate.pemLabel, bytes: $0) }
                + [PEM.Block(label: SigningKey.pemLabel, bytes: secret)]
            try FileSystem.replace(path, with: Array(PEM.encode(blocks).utf8))
            try FileSystem.remove(keyPath(service))
            return leaf
        } catch let error as FileError {
            throw .file(error)
        } catch {
            throw .unreadable(file: path, problem: "\(error)")
        }
    }

    /// Removes certificate and key of a service.
    package func forget(_ service: ServiceName) throws(FileError) {
        try FileSystem.remove(certificatePath(service))
        try FileSystem.remove(keyPath(service))
    }

    /// The services that have a certificate here.
    package func services() throws(FileError) -> [ServiceName] {
        try FileSystem.list(folder.leavesPath).compactMap { name in
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2] == "pem",
                let namespace = try? NamespaceName(String(parts[0])),
                let label = try? ServiceLabel(String(parts[1]))
            else { return nil }
            return ServiceName(namespace: namespace, name: label)
        }
    }

    private static func leaf(
        chain: [[UInt8]],
        key: [UInt8]
    ) throws -> Leaf {
        let certificate = try Certificate(der: chain.first ?? [])
        return Leaf(
            identity: try ServiceIdentity(chain: chain, privateKey: key),
            notBefore: certificate.notBefore,
            notAfter: certificate.notAfter
        )
    }

    private static func bytes(of key: SigningKey) throws(CryptoError) -> [UInt8] {
        try key.pkcs8().withBytes { bytes in
            var copy: [UInt8] = []
            copy.reserveCapacity(bytes.count)
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return copy
        }
    }

    private func certificatePath(_ service: ServiceName) -> String {
        "\(folder.path)/\(AgentFiles.leaf(of: service))"
    }

    private func keyPath(_ service: ServiceName) -> String {
        "\(folder.leavesPath)/\(service.namespace.text).\(service.name.text).key"
    }
}
