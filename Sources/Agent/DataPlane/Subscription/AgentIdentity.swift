package import Crypto
package import Mesh
package import Reactor
import Snapshot
package import TLS
package import Wire

/// Who an enrolled agent is, as its data directory says.
package struct Enrolment: Equatable, Sendable {
    /// Its name.
    package var agent: AgentName
    /// Where it belongs.
    package var trustDomain: TrustDomain
    /// `host:port` of the servers' agent ports, as enrolment named them; empty for offline use.
    package var servers: [String]

    package init(agent: AgentName, trustDomain: TrustDomain, servers: [String]) {
        self.agent = agent
        self.trustDomain = trustDomain
        self.servers = servers
    }

    /// The one spelling on disk.
    package var encoded: [UInt8] {
        JSON.canonical(
            .fields([
                "agent": .string(agent.text),
                "trust_domain": .string(trustDomain.text),
                "servers": .list(servers),
            ])
        )
    }

    /// Reads what `encoded` wrote.
    package init(encoded: [UInt8], source: String) throws(EnrolmentError) {
        do {
            let document = try JSON.parse(encoded, source: source)
            self = try FieldReader.read(document) { reader throws(FieldError) in
                Enrolment(
                    agent: try reader.required("agent").parsed(as: "an agent's name") {
                        text throws(NameError) in try AgentName(text)
                    },
                    trustDomain: try reader.required("trust_domain").parsed(as: "a trust domain") {
                        text throws(NameError) in try TrustDomain(text)
                    },
                    servers: try reader.list("servers", limit: JoinToken.serversMax) {
                        server throws(FieldError) in
                        try server.string(bytes: 1...JoinToken.serverMaxBytes)
                    }
                )
            }
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

    /// Reads `agent.pem` and `agent.key`.
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
