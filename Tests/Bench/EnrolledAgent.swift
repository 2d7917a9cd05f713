import Crypto
import Foundation
import Mesh
import Reactor
import Snapshot
import TLS
import Wire

/// What a host holds after it has joined, as one line of a state file.
///
/// The file holds private keys of a mesh that ends with the measurement; it is 0600.
struct EnrolledAgent: Sendable {
    let name: AgentName
    let chain: [[UInt8]]
    let key: SigningKey

    /// Name, certificates and key, parted by blanks.
    func line() throws -> String {
        let secret = try key.pkcs8().withBytes { bytes in
            bytes.indices.map { bytes[$0] }
        }
        let parts = chain.map(Base64.encode).joined(separator: ",")
        return "\(name) \(parts) \(Base64.encode(secret))\n"
    }

    init(name: AgentName, chain: [[UInt8]], key: SigningKey) {
        self.name = name
        self.chain = chain
        self.key = key
    }

    init(line: Substring) throws {
        let parts = line.split(separator: " ").map(String.init)
        guard parts.count == 3 else { throw BenchError("the state file is damaged") }
        name = try AgentName(parts[0])
        chain = try parts[1].split(separator: ",").map { try Base64.decode(String($0)) }
        key = try SigningKey(pkcs8: try Base64.decode(parts[2]))
    }

    var credentials: TLSCredentials {
        get throws { try TLSCredentials(chain: chain, key: key) }
    }
}

/// The agents of one process, and the trust document that they hold.
struct EnrolledAgents {
    let agents: [EnrolledAgent]
    let trust: TrustAnchor

    /// Reads what `write` wrote; the first line is the trust document.
    init(file path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n")
        guard let first = lines.first else { throw BenchError("\(path) is empty") }
        let parts = first.split(separator: " ").map(String.init)
        guard parts.count == 2 else { throw BenchError("\(path) is damaged") }
        trust = try TrustAnchor.first(
            try Envelope(encoded: try Base64.decode(parts[1])),
            trustDomain: try TrustDomain(parts[0]),
            pinnedHash: nil
        )
        agents = try lines.dropFirst().map { try EnrolledAgent(line: $0) }
    }

    static func write(_ agents: [EnrolledAgent], trust: TrustAnchor, to path: String) throws {
        let head = "\(trust.document.trustDomain) \(Base64.encode(trust.envelope.encoded))\n"
        let text = try head + agents.map { try $0.line() }.joined()
        try FileSystem.replace(path, with: Array(text.utf8))
    }
}
