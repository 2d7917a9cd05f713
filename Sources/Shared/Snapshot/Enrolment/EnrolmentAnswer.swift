package import Mesh
package import Wire

/// What an agent sends to `POST /v1/enroll`.
package struct EnrolmentRequest: Equatable, Sendable {
    /// The secret of the join token.
    package var secret: [UInt8]
    /// PKCS#10, DER; only its public key counts.
    package var csr: [UInt8]

    package init(secret: [UInt8], csr: [UInt8]) {
        self.secret = secret
        self.csr = csr
    }

    /// The body of the request.
    package var document: Document {
        .fields([
            "secret": .string(Base64URL.encode(secret)),
            "csr": .string(Base64.encode(csr)),
        ])
    }

    /// Reads the body of a request.
    package init(from reader: inout FieldReader) throws(FieldError) {
        let encoded = try reader.required("secret")
        guard let secret = try? Base64URL.decode(try encoded.string(bytes: 1...128)) else {
            throw encoded.error("this is no secret", hint: "write base64url without padding")
        }
        self.init(
            secret: secret,
            csr: try reader.required("csr").bytes(limit: CertificateRequest.csrMaxBytes)
        )
    }
}

/// What an enrolled agent gets: who it is, and whom it talks to from then on.
package struct EnrolmentAnswer: Equatable, Sendable {
    /// The name that the certificate carries.
    package var agent: AgentName
    /// DER, leaf first, without the root.
    package var chain: [[UInt8]]
    /// `host:port` of the agent port (7401) of every server.
    package var servers: [String]

    package init(agent: AgentName, chain: [[UInt8]], servers: [String]) {
        self.agent = agent
        self.chain = chain
        self.servers = servers
    }

    /// The body of the answer.
    package var document: Document {
        .fields([
            "agent": .string(agent.text),
            "chain": .list(chain.map { .string(Base64.encode($0)) }),
            "servers": .list(servers),
        ])
    }

    /// Reads the body of an answer.
    package init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            agent: try reader.required("agent").label(),
            chain: try reader.list("chain", limit: CertificateAnswer.chainMax) {
                certificate throws(FieldError) in
                try certificate.bytes(limit: TrustDocument.entryMaxBytes)
            },
            servers: try reader.list("servers", limit: JoinToken.serversMax) {
                server throws(FieldError) in try server.string(bytes: 1...JoinToken.serverMaxBytes)
            }
        )
    }
}
