package import Crypto
import HTTP
import Mesh
package import Reactor
package import Snapshot
import TLS
import Transport
package import Wire

/// Why a host could not join.
package enum JoinError: Error, Equatable, Sendable, CustomStringConvertible {
    case file(FileError)
    case crypto(CryptoError)
    case otherAgent(held: String, token: String)
    case otherTrustDomain(held: String, token: String)
    case noServer
    /// Every server was tried; the last problem of each.
    case unreachable([String])
    /// The trust document is not the one that the token names; the secret was not sent.
    case wrongTrustDocument(server: String, problem: String)
    /// The server's certificate does not follow from the trust document; the secret was not sent.
    case wrongServer(server: String, problem: String)
    /// The server refused the token.
    case refused(server: String, status: Int, message: String)
    case badAnswer(server: String, problem: String)

    package var description: String {
        switch self {
        case .file(let error): error.description
        case .crypto(let error): "\(error)"
        case .otherAgent(let held, let token):
            "this data directory belongs to the agent \(held), the token is for \(token): use"
                + " another data directory or a token for \(held)"
        case .otherTrustDomain(let held, let token):
            "this data directory belongs to the trust domain \(held), the token is for \(token):"
                + " use another data directory"
        case .noServer: "the token names no server: ask for one with `turnpike agent invite`"
        case .unreachable(let problems):
            "no server could be reached: \(problems.joined(separator: "; "))"
        case .wrongTrustDocument(let server, let problem):
            "\(server) shows another trust document than the token names (\(problem)); the secret"
                + " was not sent: either the token is older than a change of trust, then ask for a"
                + " fresh one with `turnpike agent invite`, or somebody is in between"
        case .wrongServer(let server, let problem):
            "\(server) is no server of the mesh (\(problem)); the secret was not sent"
        case .refused(let server, let status, let message):
            "\(server) refused the token (\(status)): \(message); ask for a fresh one with"
                + " `turnpike agent invite`"
        case .badAnswer(let server, let problem): "\(server) answered wrongly: \(problem)"
        }
    }
}

/// Makes a host an agent: what `turnpike-agent join` does.
///
/// In this order: fetch the trust document, compare its hash with the token's, verify the server of
/// this very connection against it, and only then send the secret.
package struct Enroller: Sendable {
    /// For one server, all in all.
    static let timeout = Duration.seconds(30)
    /// The most bytes of an answer.
    static let answerByteCountMax = Envelope.encodedMaxBytes + 64 * 1024

    private let folder: AgentFolder
    private let reactor: Reactor
    private let resolver: WorkerPool
    private let now: @Sendable () -> Timestamp

    package init(
        folder: AgentFolder,
        reactor: Reactor,
        resolver: WorkerPool,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.folder = folder
        self.reactor = reactor
        self.resolver = resolver
        self.now = now
    }

    /// Redeems the token and writes the identity; a running agent takes it up by itself.
    package func join(with token: JoinToken) async throws(JoinError) -> AgentEnrolment {
        do throws(FileError) {
            try folder.prepare()
        } catch {
            throw .file(error)
        }
        try checkHeld(token)
        guard !token.servers.isEmpty else { throw .noServer }
        let key = try keyForJoining()
        var problems: [String] = []
        for server in token.servers {
            do throws(Attempt) {
                let (trust, answer) = try await enrol(token, key, at: server)
                return try store(token, trust, answer, key, server)
            } catch {
                switch error {
                case .tryNext(let problem): problems.append("\(server): \(problem)")
                case .stop(let failure): throw failure
                }
            }
        }
        throw .unreachable(problems)
    }

    private enum Attempt: Error {
        case tryNext(String)
        case stop(JoinError)
    }

    private func checkHeld(_ token: JoinToken) throws(JoinError) {
        let bytes: [UInt8]?
        do throws(FileError) {
            bytes = try AgentFolder.readIfPresent(folder.enrolmentPath)
        } catch {
            throw .file(error)
        }
        guard let bytes,
            let held = try? AgentEnrolment(encoded: bytes, source: folder.enrolmentPath)
        else { return }
        guard held.trustDomain == token.trustDomain else {
            throw .otherTrustDomain(held: held.trustDomain.text, token: token.trustDomain.text)
        }
        guard held.agent == token.agent else {
            throw .otherAgent(held: held.agent.text, token: token.agent.text)
        }
    }

    /// The key of an attempt that was cut off, since the token counts again only for that key, or
    /// a new one.
    private func keyForJoining() throws(JoinError) -> SigningKey {
        do {
            if try FileSystem.status(folder.newKeyPath) != nil {
                let bytes = try FileSystem.readSecret(
                    folder.newKeyPath,
                    byteCountMax: PEM.textBytesMax
                )
                if let key = try? SigningKey(pem: Text.decode(bytes) ?? "") { return key }
            }
            let key = try SigningKey.generate(.ecdsaP256)
            try FileSystem.replace(folder.newKeyPath, with: Array(try key.pem().utf8))
            return key
        } catch let error as FileError {
            throw .file(error)
        } catch let error as CryptoError {
            throw .crypto(error)
        } catch {
            throw .badAnswer(server: folder.path, problem: "\(error)")
        }
    }

    // MARK: The exchange

    private func enrol(
        _ token: JoinToken,
        _ key: SigningKey,
        at server: String
    ) async throws(Attempt) -> (TrustAnchor, EnrolmentAnswer) {
        let (client, seen) = try await client(for: token, at: server)
        let result: Result<(TrustAnchor, EnrolmentAnswer), Attempt>
        do throws(Attempt) {
            result = .success(try await exchange(token, key, client, seen, server))
        } catch {
            result = .failure(error)
        }
        await client.close()
        return try result.get()
    }

    private func exchange(
        _ token: JoinToken,
        _ key: SigningKey,
        _ client: HTTPClient,
        _ seen: SeenChain,
        _ server: String
    ) async throws(Attempt) -> (TrustAnchor, EnrolmentAnswer) {
        let trust = try await fetchTrust(token, client, server)
        try verify(seen, trust, server)
        let csr: [UInt8]
        do throws(CryptoError) {
            csr = try CertificateSigningRequest.make(for: key)
        } catch {
            throw .stop(.crypto(error))
        }
        let request = EnrolmentRequest(secret: token.secretBytes, csr: csr)
        // Should the client have to connect again, that handshake is judged like this one.
        let answer = try await send(
            .post,
            "/v1/enroll",
            JSON.canonical(request.document),
            client,
            server
        )
        guard answer.head.status.isSuccess else {
            throw .stop(
                .refused(
                    server: server,
                    status: answer.head.status.code,
                    message: Self.message(of: answer.body)
                )
            )
        }
        do {
            let document = try JSON.parse(answer.body, source: "the answer", limits: .request)
            let read = try FieldReader.read(document, unknownFields: .tolerated) {
                reader throws(FieldError) in try EnrolmentAnswer(from: &reader)
            }
            guard read.agent == token.agent else {
                throw Attempt.stop(.badAnswer(server: server, problem: "another agent's name"))
            }
            let roots = try MeshRoots(
                certificates: trust.document.authorities.map(\.certificate),
                trustDomain: token.trustDomain
            )
            try roots.check(
                read.chain,
                key: key.publicKey,
                identity: SPIFFEID(agent: token.agent, in: token.trustDomain),
                now: now()
            )
            return (trust, read)
        } catch let error as Attempt {
            throw error
        } catch {
            throw .stop(.badAnswer(server: server, problem: "\(error)"))
        }
    }

    private func fetchTrust(
        _ token: JoinToken,
        _ client: HTTPClient,
        _ server: String
    ) async throws(Attempt) -> TrustAnchor {
        let answer = try await send(.get, "/v1/trust", [], client, server)
        guard answer.head.status.isSuccess else {
            throw .tryNext("\(answer.head.status.code) for the trust document")
        }
        do {
            return try TrustAnchor.first(
                try Envelope(encoded: answer.body),
                trustDomain: token.trustDomain,
                pinnedHash: token.trustHash
            )
        } catch {
            throw .stop(.wrongTrustDocument(server: server, problem: "\(error)"))
        }
    }

    private func verify(
        _ seen: SeenChain,
        _ trust: TrustAnchor,
        _ server: String
    ) throws(Attempt) {
        let roots: MeshRoots
        do throws(CryptoError) {
            roots = try MeshRoots(
                certificates: trust.document.authorities.map(\.certificate),
                trustDomain: trust.document.trustDomain
            )
        } catch {
            throw .stop(.wrongTrustDocument(server: server, problem: "\(error)"))
        }
        if let problem = seen.require(roots) {
            throw .stop(.wrongServer(server: server, problem: problem))
        }
    }

    private func client(
        for token: JoinToken,
        at server: String
    ) async throws(Attempt) -> (HTTPClient, SeenChain) {
        let addresses: [SocketAddress]
        do {
            addresses = try await resolver.run {
                Result { () throws(NameResolutionError) in
                    try NameResolver.addresses(ofServer: server)
                }
            }.get()
        } catch {
            throw .tryNext("\(error)")
        }
        let name = ServerTrust.enrolmentName(in: token.trustDomain)
        let seen = SeenChain(now: now)
        guard let authority = Authority(name) else { throw .tryNext("\(name) is no host name") }
        do throws(TLSConfigurationError) {
            let context = try TLSContext(
                client: TLSClientConfiguration(
                    // Who this is can only be judged with the trust document that it shows; until
                    // then nothing secret is sent.
                    verifier: { chain in seen.verify(chain) },
                    applicationProtocols: ["http/1.1"]
                )
            )
            var configuration = HTTPClientConfiguration(
                addresses: addresses,
                authority: authority,
                security: .client(context, serverName: name, credentials: nil, verifier: nil)
            )
            configuration.limits.bodyByteCountMax = Self.answerByteCountMax
            return (HTTPClient(on: reactor, configuration: configuration), seen)
        } catch {
            throw .tryNext("\(error)")
        }
    }

    private func send(
        _ method: Method,
        _ target: String,
        _ body: [UInt8],
        _ client: HTTPClient,
        _ server: String
    ) async throws(Attempt) -> HTTPClientResponse {
        var fields = HeaderFields()
        if !body.isEmpty { try? fields.append(.contentType, "application/json") }
        do throws(HTTPClientError) {
            return try await client.send(
                method,
                target,
                fields: fields,
                body: body,
                timeout: Self.timeout
            )
        } catch {
            throw .tryNext("\(error)")
        }
    }

    /// The first sentence of an error answer.
    private static func message(of body: [UInt8]) -> String {
        let document = try? JSON.parse(body, source: "the answer", limits: .request)
        return document?["errors"]?[0]?.text ?? "no reason given"
    }

    // MARK: Storing

    /// Certificate and key last and in one file: until then the directory is as it was or not
    /// enrolled, and the key of this attempt stays, for which alone the token counts again.
    private func store(
        _ token: JoinToken,
        _ trust: TrustAnchor,
        _ answer: EnrolmentAnswer,
        _ key: SigningKey,
        _ server: String
    ) throws(Attempt) -> AgentEnrolment {
        let enrolment = AgentEnrolment(
            agent: token.agent,
            trustDomain: token.trustDomain,
            servers: answer.servers
        )
        do {
            if try !holdsNewerTrust(than: trust) {
                try FileSystem.replace(folder.trustPath, with: trust.envelope.encoded)
            }
            try FileSystem.replace(folder.enrolmentPath, with: enrolment.encoded)
            try KeyPairFile.write(
                chain: answer.chain,
                key: key,
                certificate: folder.certificatePath,
                key: folder.keyPath
            )
            try FileSystem.remove(folder.newKeyPath)
            return enrolment
        } catch let error as FileError {
            throw .stop(.file(error))
        } catch {
            throw .stop(.badAnswer(server: server, problem: "\(error)"))
        }
    }

    /// A trust document that follows from the token's must not be taken back.
    private func holdsNewerTrust(than trust: TrustAnchor) throws(FileError) -> Bool {
        guard let bytes = try AgentFolder.readIfPresent(folder.trustPath),
            let envelope = try? Envelope(encoded: bytes),
            let held = try? TrustAnchor.first(
                envelope,
                trustDomain: trust.document.trustDomain,
                pinnedHash: nil
            )
        else { return false }
        return held.document.version > trust.document.version
    }
}

extension JoinToken {
    /// The secret as it is sent, once the server has proved who it is.
    fileprivate var secretBytes: [UInt8] {
        secret.withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return copy
        }
    }
}
