package import TLS
import Wire

/// A TLS client of the test's own making at the mesh port, to show what an agent never would.
package enum MeshProbe {
    /// What the probe has seen.
    package enum Outcome: Equatable, Sendable {
        case answered([UInt8])
        case alert(TLSAlert)
        case ended
        case reset
        case noConnection
    }

    /// Shakes hands, sends some bytes in one piece with its end of the handshake, and tells what came
    /// of it.
    package static func run(
        port: UInt16,
        serverName: String?,
        leaf: TestMesh.Leaf?,
        protocols: [String] = ["turnpike/1"],
        saying question: [UInt8] = [1, 2, 3]
    ) throws -> Outcome {
        let context = try TLSContext(
            client: TLSClientConfiguration(
                verifier: { _ in
                    .accept(
                        PeerIdentity(
                            name: "anybody",
                            serialNumber: [],
                            leafDigest: [],
                            notAfter: .distantFuture
                        )
                    )
                },
                applicationProtocols: protocols
            )
        )
        let credentials = try leaf.map {
            try TLSCredentials(chain: $0.chain, privateKey: $0.privateKey)
        }
        let session = try TLSSession(
            client: context,
            serverName: serverName,
            credentials: credentials
        )
        guard let socket = LoopbackSocket.connect(port: port) else { return .noConnection }
        return drive(session, over: socket, saying: question)
    }

    private static func drive(
        _ session: TLSSession,
        over socket: LoopbackSocket,
        saying question: [UInt8]
    ) -> Outcome {
        var plaintext = [UInt8](repeating: 0, count: 96 * 1_024)
        var ciphertext = [UInt8](repeating: 0, count: 32 * 1_024)
        var hasSent = false
        var start = ciphertext.mutableSpan
        var progress = session.start(ciphertext: &start)
        socket.send(Array(ciphertext.prefix(progress.ciphertextByteCount)))
        while true {
            let part = socket.receive()
            guard part.end == .open else { return part.end == .reset ? .reset : .ended }
            var room = plaintext.mutableSpan
            var answer = ciphertext.mutableSpan
            progress = session.receive(part.bytes.span, plaintext: &room, ciphertext: &answer)
            var output = Array(ciphertext.prefix(progress.ciphertextByteCount))
            if session.status == .open, !hasSent {
                hasSent = true
                var rest = ciphertext.mutableSpan
                let sent = session.send(question.span, ciphertext: &rest)
                output += ciphertext.prefix(sent.ciphertextByteCount)
            }
            socket.send(output)
            if progress.plaintextByteCount > 0 {
                return .answered(Array(plaintext.prefix(progress.plaintextByteCount)))
            }
            if let alert = session.failure?.alert { return .alert(alert) }
            if session.status == .peerFinished { return .ended }
            if session.status == .failed { return .reset }
        }
    }
}
