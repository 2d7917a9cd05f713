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
        /// DER, leaf first.
        package let chain: [[UInt8]]
        /// The key that is here.
        package let key: PublicKey
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
            return try Self.leaf(chain: pair.chain, key: try SigningKey(pkcs8: pair.key))
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
        let leaf: Leaf
        do {
            leaf = try Self.leaf(chain: chain, key: key)
        } catch {
            throw .unreadable(file: path, problem: "\(error)")
        }
        try KeyPairFile.write(
            chain: chain,
            key: key,
            certificate: path,
            key: keyPath(service)
        )
        return leaf
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

    private static func leaf(chain: [[UInt8]], key: SigningKey) throws -> Leaf {
        let certificate = try Certificate(der: chain.first ?? [])
        return Leaf(
            identity: try ServiceIdentity(chain: chain, key: key),
            chain: chain,
            key: key.publicKey,
            notBefore: certificate.notBefore,
            notAfter: certificate.notAfter
        )
    }

    private func certificatePath(_ service: ServiceName) -> String {
        "\(folder.path)/\(AgentFiles.leaf(of: service))"
    }

    private func keyPath(_ service: ServiceName) -> String {
        "\(folder.leavesPath)/\(service.namespace.text).\(service.name.text).key"
    }
}
