import Crypto
import Foundation
import Mesh
import Reactor
package import Snapshot
package import Synchronization
import TLS
package import Transport
package import Wire

/// The server's end of the agents' stream, made of the real parts: TLS, frames, publisher, issuer.
package final class ControlStand: Sendable {
    /// What the stand does and has seen.
    package struct State {
        package var publication: Publication?
        package var hellos: [Hello] = []
        package var acknowledgements: [Acknowledgement] = []
        package var requests: [CertificateRequest] = []
        package var batches: [EvidenceBatch] = []
        package var statuses: [Document] = []
        /// Refuses this many requests for certificates first.
        package var refusals = 0
        /// How long the certificates hold that are issued.
        package var leafLifetime = Duration.seconds(3_600)
        /// Leaves evidence without an answer.
        package var ignoresEvidence = false
        var connections: [StreamConnection] = []
    }

    private static let applicationProtocol = "turnpike-agent/1"

    package let mesh: TestMesh
    package let state = Mutex(State())
    private let thread: ReactorThread
    private let now: @Sendable () -> Timestamp
    private let identity: TestMesh.Leaf

    /// A stand that claims to be who `spiffePath` says.
    package init(
        _ mesh: TestMesh,
        spiffePath: String = "/server/control-1",
        now: @escaping @Sendable () -> Timestamp
    ) throws {
        self.mesh = mesh
        self.now = now
        thread = try ReactorThread(name: "stand")
        identity = try mesh.leaf(
            .leaf(
                spiffeID: "spiffe://\(mesh.trustDomain.text)\(spiffePath)",
                dnsNames: []
            )
        )
    }

    /// Listens, on a free port or on the one given.
    package func start(port: UInt16 = 0) async throws -> StreamServer {
        let credentials = try TLSCredentials(chain: identity.chain, privateKey: identity.privateKey)
        let roots = [mesh.root.certificate]
        let verifier = SVIDVerifier(
            trustDomain: mesh.trustDomain.text,
            roots: roots,
            clock: now,
            accepts: { name, _ in name.contains("/agent/") }
        )
        let context = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { name in
                    name == "server.mesh.example" ? credentials : nil
                },
                clientCertificate: .required,
                verifier: verifier.verifier,
                applicationProtocols: [Self.applicationProtocol],
                requiresApplicationProtocol: true
            )
        )
        return try await StreamServer.start(
            on: .loopback(port: port),
            reactors: [thread.reactor],
            security: context
        ) { connection, identity in
            await self.serve(connection, identity)
        }
    }

    /// Publishes to whoever connects next, and to those who are connected.
    package func publish(_ signed: TestMesh.Signed) throws {
        let sections = try signed.snapshot.manifest.manifest.sections.map { reference in
            let bytes = signed.sections[reference.hash] ?? []
            return try EncodedSection(checking: try SectionContent(encoded: bytes))
        }
        let publication = Publication(
            manifest: signed.snapshot.manifest.manifest,
            envelope: signed.snapshot.manifest.envelope,
            sections: sections
        )
        state.withLock { $0.publication = publication }
    }

    /// Waits until the state is as wished.
    package func wait(
        for what: String = "",
        _ isReached: @Sendable (State) -> Bool
    ) async throws -> Bool {
        for _ in 0..<1_500 {
            if state.withLock({ isReached($0) }) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    /// Cuts every connection.
    package func cut() async {
        let connections = state.withLock { state in
            defer { state.connections = [] }
            return state.connections
        }
        for connection in connections { await connection.abort() }
    }

    /// Ends the server, if there is one, and the stand's thread.
    package func stop(_ server: StreamServer?) async {
        await server?.drain(grace: .milliseconds(50))
        let thread = thread
        await onThread { thread.stop() }
    }

    private func serve(_ connection: StreamConnection, _ identity: StreamIdentity) async {
        guard let name = identity.peer?.name,
            case .agent(let agent) = (try? SPIFFEID(name))?.subject
        else { return }
        state.withLock { $0.connections.append(connection) }
        var publisher = Publisher(agent: agent, trustChain: [mesh.trust])
        var decoder = FrameDecoder()
        var shown: SnapshotMark?
        do {
            while true {
                let published = state.withLock { $0.publication }
                if let published, published.mark != shown, !state.withLock({ $0.hellos.isEmpty }) {
                    shown = published.mark
                    try await write(publisher.published(published), &publisher, connection)
                }
                let deadline = Reactor.Instant.now.advanced(by: .milliseconds(5))
                let bytes: [UInt8]?
                do throws(StreamError) {
                    bytes = try await connection.read(deadline: deadline)
                } catch {
                    guard error == .timedOut(.reading) else { throw error }
                    continue
                }
                guard let bytes else { return }
                decoder.append(bytes)
                while let message = try decoder.next() {
                    try await answer(message, agent, &publisher, connection)
                }
            }
        } catch {
            return
        }
    }

    private func answer(
        _ message: Message,
        _ agent: AgentName,
        _ publisher: inout Publisher,
        _ connection: StreamConnection
    ) async throws {
        switch message {
        case .hello(let hello):
            state.withLock { $0.hellos.append(hello) }
            try await write(publisher.helloReceived(hello), &publisher, connection)
        case .want(let want):
            try await write(publisher.wantReceived(want), &publisher, connection)
        case .acknowledgement(let acknowledgement):
            state.withLock { $0.acknowledgements.append(acknowledgement) }
            try await write(
                publisher.acknowledgementReceived(acknowledgement),
                &publisher,
                connection
            )
        case .certificateRequest(let request):
            let reply = Message.certificateAnswer(try answer(request, agent))
            try await connection.write(try Frame.encode(reply))
        case .evidence(let batch):
            let isIgnored = state.withLock { state in
                state.batches.append(batch)
                return state.ignoresEvidence
            }
            guard !isIgnored else { return }
            let reply = Message.evidenceAcknowledgement(batch: batch.batch)
            try await connection.write(try Frame.encode(reply))
        case .status(let document): state.withLock { $0.statuses.append(document) }
        case .ping(let number): try await connection.write(try Frame.encode(.pong(number)))
        default: break
        }
    }

    private func answer(
        _ request: CertificateRequest,
        _ agent: AgentName
    ) throws -> CertificateAnswer {
        let isRefused = state.withLock { state in
            state.requests.append(request)
            guard state.refusals > 0 else { return false }
            state.refusals -= 1
            return true
        }
        guard !isRefused else {
            return CertificateAnswer(id: request.id, chain: [], error: "placement.missing")
        }
        let csr = try CertificateSigningRequest(verifying: request.csr)
        let id =
            request.service.map { SPIFFEID(service: $0, in: mesh.trustDomain) }
            ?? SPIFFEID(agent: agent, in: mesh.trustDomain)
        let leaf = try mesh.intermediate.issue(
            CertificateTemplate(
                serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount),
                notBefore: now() - .seconds(60),
                notAfter: now() + state.withLock(\.leafLifetime),
                purpose: .leaf(
                    spiffeID: id.description,
                    dnsNames: request.service.map { [meshName($0, in: mesh.trustDomain)] } ?? []
                )
            ),
            for: csr.publicKey
        )
        return CertificateAnswer(
            id: request.id,
            chain: [leaf, mesh.intermediate.certificate.encoded]
        )
    }

    private func write(
        _ actions: [Publisher.Action],
        _ publisher: inout Publisher,
        _ connection: StreamConnection
    ) async throws {
        var waiting = actions
        while !waiting.isEmpty {
            switch waiting.removeFirst() {
            case .write(let bytes):
                try await connection.write(bytes)
                waiting += publisher.written(byteCount: bytes.count)
            case .close: await connection.close()
            case .acknowledged, .headShown: break
            }
        }
    }
}
