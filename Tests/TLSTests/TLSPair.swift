import Support
import TLS
import Wire

/// A client's and a server's session, joined by two byte queues in memory.
final class TLSPair {
    let client: TLSSession
    let server: TLSSession
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    var clientRead: [UInt8] = []
    var serverRead: [UInt8] = []
    /// The most bytes that one delivery carries.
    var deliveryByteCountMax = 64 * 1024
    var plaintextRoom = 96 * 1024
    /// Called before each delivery.
    var beforeDelivery: () -> Void = {}

    init(client: TLSSession, server: TLSSession) {
        self.client = client
        self.server = server
    }

    convenience init(
        server: TLSServerConfiguration,
        client: TLSClientConfiguration = .test(),
        serverName: String? = "alpha.default.svc.example.test",
        credentials: TLSCredentials? = nil
    ) throws {
        self.init(
            client: try TLSSession(
                client: try TLSContext(client: client),
                serverName: serverName,
                credentials: credentials
            ),
            server: try TLSSession(server: try TLSContext(server: server))
        )
    }

    /// Moves bytes until nothing moves any more.
    func run() {
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        if client.status == .handshaking, client.handshakeByteCount == 0, toServer.isEmpty {
            var span = room.mutableSpan
            let count = client.start(ciphertext: &span).ciphertextByteCount
            toServer += room.prefix(count)
        }
        while deliver(&toServer, to: server, reply: &toClient, read: &serverRead)
            || deliver(&toClient, to: client, reply: &toServer, read: &clientRead)
        {}
    }

    private func deliver(
        _ queue: inout [UInt8],
        to session: TLSSession,
        reply: inout [UInt8],
        read: inout [UInt8]
    ) -> Bool {
        let chunk = Array(queue.prefix(deliveryByteCountMax))
        guard !chunk.isEmpty || session.hasPlaintext, session.status != .failed else {
            return false
        }
        beforeDelivery()
        let progress = session.take(chunk, read: &read, reply: &reply, room: plaintextRoom)
        queue.removeFirst(progress.consumedByteCount)
        return true
    }

    func clientSends(_ bytes: [UInt8]) { toServer += client.sealing(bytes) }
    func serverSends(_ bytes: [UInt8]) { toClient += server.sealing(bytes) }
    func clientFinishes() { toServer += client.finishing() }
    func serverFinishes() { toClient += server.finishing() }
}

extension TLSSession {
    /// `receive` with arrays.
    func take(
        _ bytes: [UInt8],
        read: inout [UInt8],
        reply: inout [UInt8],
        room: Int = 96 * 1024
    ) -> TLSProgress {
        var plaintext = [UInt8](repeating: 0, count: room)
        var ciphertext = [UInt8](repeating: 0, count: 32 * 1024)
        var plaintextSpan = plaintext.mutableSpan
        var ciphertextSpan = ciphertext.mutableSpan
        let progress = receive(
            bytes.span,
            plaintext: &plaintextSpan,
            ciphertext: &ciphertextSpan
        )
        read += plaintext.prefix(progress.plaintextByteCount)
        reply += ciphertext.prefix(progress.ciphertextByteCount)
        return progress
    }

    /// All of `bytes` as records.
    func sealing(_ bytes: [UInt8], room: Int = 20 * 1024) -> [UInt8] {
        var sealed: [UInt8] = []
        var left = bytes[...]
        while !left.isEmpty {
            var ciphertext = [UInt8](repeating: 0, count: room)
            var span = ciphertext.mutableSpan
            let progress = send(Array(left).span, ciphertext: &span)
            guard progress.consumedByteCount > 0 else { break }
            sealed += ciphertext.prefix(progress.ciphertextByteCount)
            left = left.dropFirst(progress.consumedByteCount)
        }
        return sealed
    }

    func finishing() -> [UInt8] {
        var ciphertext = [UInt8](repeating: 0, count: 1024)
        var span = ciphertext.mutableSpan
        let progress = finishSending(ciphertext: &span)
        return Array(ciphertext.prefix(progress.ciphertextByteCount))
    }
}

extension TestCertificate {
    func credentials() throws -> TLSCredentials {
        try TLSCredentials(chainPEM: chainPEM, privateKeyPEM: privateKeyPEM)
    }
}

/// Accepts exactly these leaves.
func accepting(_ certificates: TestCertificate...) -> PeerVerifier {
    { chain in
        for certificate in certificates where chain.certificates.first == certificate.leaf {
            return .accept(
                PeerIdentity(
                    name: certificate.name,
                    serialNumber: [1],
                    leafDigest: [],
                    notAfter: .distantFuture
                )
            )
        }
        return .refuse(PeerRefusal(.unknownCA, reason: "no root that we trust"))
    }
}

extension TLSServerConfiguration {
    /// Answers to alpha's name, and asks for beta's certificate unless told otherwise.
    static func test(
        clientCertificate: ClientCertificatePolicy = .required,
        applicationProtocols: [String] = [],
        requiresApplicationProtocol: Bool = false
    ) throws -> TLSServerConfiguration {
        let alpha = try TestCertificates.alpha.credentials()
        return TLSServerConfiguration(
            credentials: { $0 == "alpha.default.svc.example.test" ? alpha : nil },
            clientCertificate: clientCertificate,
            verifier: accepting(TestCertificates.beta),
            applicationProtocols: applicationProtocols,
            requiresApplicationProtocol: requiresApplicationProtocol
        )
    }
}

extension TLSClientConfiguration {
    static func test(
        applicationProtocols: [String] = [],
        requiresApplicationProtocol: Bool = false
    ) -> TLSClientConfiguration {
        TLSClientConfiguration(
            verifier: accepting(TestCertificates.alpha),
            applicationProtocols: applicationProtocols,
            requiresApplicationProtocol: requiresApplicationProtocol
        )
    }
}
