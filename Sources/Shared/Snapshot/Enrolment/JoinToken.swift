package import Crypto
package import Mesh
import Wire

/// What a new host needs to join: where to, whom to trust, and the secret that proves the right.
///
/// Written `tpj1.` and base64url of canonical JSON. The text is a credential; the description
/// holds no secret.
package struct JoinToken: Sendable, CustomStringConvertible {
    /// What every join token begins with.
    package static let prefix = "tpj1."
    /// The longest text.
    package static let textMaxBytes = 16_384
    /// The most servers of one token.
    package static let serversMax = 32
    /// The longest `host:port`.
    package static let serverMaxBytes = 261
    /// The bytes of a secret.
    package static let secretBytes = 16...64

    /// The agent that may be enrolled, and no other.
    package let agent: AgentName
    /// `host:port` of the API of the servers, in the order in which they are tried.
    package let servers: [String]
    /// Where the agent will belong.
    package let trustDomain: TrustDomain
    /// The hash of the trust document; without a match the secret is not sent.
    package let trustHash: SHA256Digest
    /// The proof of the right to enrol.
    package let secret: SecretBytes

    package init(
        agent: AgentName,
        servers: [String],
        trustDomain: TrustDomain,
        trustHash: SHA256Digest,
        secret: SecretBytes
    ) {
        self.agent = agent
        self.servers = servers
        self.trustDomain = trustDomain
        self.trustHash = trustHash
        self.secret = secret
    }

    /// The text that is handed to the host's owner.
    package var text: String {
        let secret = secret.withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return copy
        }
        let document = Document.fields([
            "agent": .string(agent.text),
            "servers": .list(servers),
            "trust_domain": .string(trustDomain.text),
            "trust_hash": .string(trustHash.hex),
            "secret": .string(Base64URL.encode(secret)),
        ])
        return Self.prefix + Base64URL.encode(JSON.canonical(document))
    }

    /// Reads a token; blanks and line ends around it are dropped.
    ///
    /// The error never holds a part of the token.
    package init(_ text: String) throws(SnapshotFormatError) {
        let text = String(text.trimmingBlanks)
        guard text.hasPrefix(Self.prefix), text.utf8.count <= Self.textMaxBytes else {
            throw SnapshotFormatError("a join token begins with \(Self.prefix)")
        }
        guard let bytes = try? Base64URL.decode(String(text.dropFirst(Self.prefix.count))) else {
            throw SnapshotFormatError("the join token is cut or was changed; copy all of it")
        }
        do {
            self = try CanonicalJSON.read(bytes, Self.read)
        } catch {
            throw SnapshotFormatError("the join token is cut or was changed; copy all of it")
        }
    }

    private static func read(_ reader: inout FieldReader) throws(FieldError) -> JoinToken {
        let encoded = try reader.string("secret", bytes: 1...128)
        guard var secret = try? Base64URL.decode(encoded), secretBytes ~= secret.count else {
            throw try reader.required("secret").error("no secret", hint: "16 to 64 bytes")
        }
        let token = JoinToken(
            agent: try reader.required("agent").label(),
            servers: try reader.list("servers", limit: serversMax) {
                server throws(FieldError) in try server.string(bytes: 1...serverMaxBytes)
            },
            trustDomain: try reader.required("trust_domain").trustDomain(),
            trustHash: try reader.required("trust_hash").digest(),
            secret: SecretBytes(taking: &secret)
        )
        return token
    }

    package var description: String { "join token of agent \(agent.text)" }
}

extension JoinToken: CustomReflectable {
    /// Without the secret, whatever prints this.
    package var customMirror: Mirror { Mirror(self, children: ["agent": agent.text]) }
}

extension String {
    fileprivate var trimmingBlanks: Substring {
        var rest = self[...]
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest.drop(while: \.isWhitespace)
    }
}
