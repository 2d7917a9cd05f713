package import Crypto
package import Reactor
package import Snapshot
package import TLS
package import Wire

extension AgentEnrolment {
    /// Reads what a data directory holds.
    package init(encoded: [UInt8], source: String) throws(EnrolmentError) {
        do {
            try self.init(JSON.parse(encoded, source: source))
        } catch {
            throw .unreadable(file: source, problem: "\(error)")
        }
    }
}

/// Why there is no usable identity in a data directory.
package enum EnrolmentError: Error, Equatable, Sendable, CustomStringConvertible {
    case notEnrolled(directory: String)
    case unreadable(file: String, problem: String)
    case file(FileError)

    package var description: String {
        switch self {
        case .notEnrolled(let directory):
            "\(directory) holds no enrolled agent; run `turnpike agent invite NAME` where the"
                + " control plane is administered, then `turnpike-agent join --token-file FILE` here"
        case .unreadable(let file, let problem): "\(file): \(problem)"
        case .file(let error): error.description
        }
    }
}

/// The agent's own certificate and key, as they are on disk now.
package struct AgentIdentity: Sendable {
    /// DER, leaf first.
    package let chain: [[UInt8]]
    /// What TLS presents.
    package let credentials: TLSCredentials
    /// The key that the certificate certifies.
    package let key: SigningKey
    /// The dates of the leaf.
    package let notBefore: Timestamp
    /// The last second of the leaf.
    package let notAfter: Timestamp

    /// Reads `agent.pem`, and `agent.key` where the key is kept apart.
    package init(in folder: AgentFolder) throws(EnrolmentError) {
        let pair = try KeyPairFile.read(
            certificate: folder.certificatePath,
            key: folder.keyPath
        )
        guard let pair else { throw .notEnrolled(directory: folder.path) }
        do {
            key = try SigningKey(pkcs8: pair.key)
            let leaf = try Certificate(der: pair.chain.first ?? [])
            notBefore = leaf.notBefore
            notAfter = leaf.notAfter
            credentials = try TLSCredentials(chain: pair.chain, privateKey: pair.key)
        } catch {
            throw .unreadable(file: folder.certificatePath, problem: "\(error)")
        }
        chain = pair.chain
    }
}

/// A certificate chain and its key in files: the key beside the chain, or in the chain's file.
///
/// We write chain and key of a service into one file, so that both change at once; a directory
/// that was prepared elsewhere may keep the key apart.
enum KeyPairFile {
    struct Content {
        var chain: [[UInt8]]
        var key: [UInt8]
    }

    /// Nil where there is no certificate or no key.
    static func read(
        certificate certificatePath: String,
        key keyPath: String
    ) throws(EnrolmentError) -> Content? {
        let blocks: [PEM.Block]
        do {
            guard try FileSystem.status(certificatePath) != nil else { return nil }
            blocks = try decode(
                try FileSystem.readSecret(certificatePath, byteCountMax: PEM.textBytesMax),
                certificatePath
            )
        } catch let error as FileError {
            throw .file(error)
        } catch let error as EnrolmentError {
            throw error
        } catch {
            throw .unreadable(file: certificatePath, problem: "\(error)")
        }
        let chain = blocks.filter { $0.label == Certificate.pemLabel }.map(\.bytes)
        if let key = blocks.first(where: { $0.label == SigningKey.pemLabel }) {
            return Content(chain: chain, key: key.bytes)
        }
        do {
            guard try FileSystem.status(keyPath) != nil else { return nil }
            let text = try FileSystem.readSecret(keyPath, byteCountMax: PEM.textBytesMax)
            let keys = try decode(text, keyPath).filter { $0.label == SigningKey.pemLabel }
            guard let key = keys.first else {
                throw EnrolmentError.unreadable(file: keyPath, problem: "no private key in it")
            }
            return Content(chain: chain, key: key.bytes)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as EnrolmentError {
            throw error
        } catch {
            throw .unreadable(file: keyPath, problem: "\(error)")
        }
    }

    /// Writes chain and key as one file, so that a crash cannot tear them apart, and removes a key
    /// that was kept apart.
    static func write(
        chain: [[UInt8]],
        key: SigningKey,
        certificate certificatePath: String,
        key keyPath: String
    ) throws(EnrolmentError) {
        do {
            var secret = try key.pkcs8().withBytes { bytes in
                bytes.indices.map { bytes[$0] }
            }
            defer { SecretBytes.wipe(&secret) }
            let blocks =
                chain.map { PEM.Block(label: Certificate.pemLabel, bytes: $0) }
                + [PEM.Block(label: SigningKey.pemLabel, bytes: secret)]
            try FileSystem.replace(certificatePath, with: Array(PEM.encode(blocks).utf8))
            try FileSystem.remove(keyPath)
        } catch let error as FileError {
            throw .file(error)
        } catch {
            throw .unreadable(file: certificatePath, problem: "\(error)")
        }
    }

    private static func decode(
        _ bytes: [UInt8],
        _ path: String
    ) throws(EnrolmentError) -> [PEM.Block] {
        guard let text = Text.decode(bytes), let blocks = try? PEM.decode(text) else {
            throw .unreadable(file: path, problem: "this is no PEM text")
        }
        return blocks
    }
}
