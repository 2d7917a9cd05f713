package import Crypto
import Foundation
import TLS
package import Wire

/// A CA of somebody outside of the mesh.
package struct OutsideAuthority: Sendable {
    private let authority: CertificateAuthority
    private let now: Timestamp

    package init(_ name: String = "Outside Root", now: Timestamp) throws {
        self.now = now
        authority = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount),
                notBefore: now - .seconds(172_800),
                notAfter: now + .seconds(86_400 * 30),
                subject: DistinguishedName(commonName: name, organization: "Elsewhere"),
                purpose: .root
            ),
            key: .generate(.ecdsaP256)
        )
    }

    /// DER.
    package var certificate: [UInt8] { authority.certificate.encoded }

    /// PEM.
    package var pem: String {
        PEM.encode(PEM.Block(label: "CERTIFICATE", bytes: certificate))
    }

    /// A server's certificate with its key.
    package func leaf(
        _ names: [GeneralName],
        notAfter: Timestamp? = nil
    ) throws -> TestMesh.Leaf {
        let key = try SigningKey.generate(.ecdsaP256)
        let template = CertificateTemplate(
            serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount),
            notBefore: now - .seconds(86_400),
            notAfter: notAfter ?? now + .seconds(86_400),
            purpose: .peer(names: names, roles: [.server])
        )
        return TestMesh.Leaf(chain: [try authority.issue(template, for: key.publicKey)], key: key)
    }
}

/// A TLS server outside of the mesh that sends everything back, each connection on a thread of its
/// own.
package final class OutsideServer: Sendable {
    private let listener: LoopbackSocket
    private let context: TLSContext
    private let greeting: [UInt8]

    /// Listens on a free port; `greeting` is sent as soon as the handshake is complete.
    package init(_ leaf: TestMesh.Leaf, greeting: [UInt8] = []) throws {
        let credentials = try TLSCredentials(chain: leaf.chain, privateKey: leaf.privateKey)
        context = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { _ in credentials },
                clientCertificate: .none,
                verifier: { _ in .refuse(PeerRefusal(.unknownCA, reason: "nobody is asked")) }
            )
        )
        self.greeting = greeting
        let listener = LoopbackSocket.listen()
        self.listener = listener
        let (context, greeting) = (context, greeting)
        inBackground {
            while let connection = listener.acceptNext() {
                inBackground { Self.echo(connection, context, greeting) }
            }
        }
    }

    package var port: UInt16 { listener.port }

    /// Accepts no further connection.
    package func stop() { listener.shutDown() }

    private static func echo(
        _ connection: LoopbackSocket,
        _ context: TLSContext,
        _ greeting: [UInt8]
    ) {
        guard let session = try? TLSSession(server: context) else { return }
        var hasGreeted = greeting.isEmpty
        while true {
            let part = connection.receive(upTo: 16 * 1_024)
            guard part.end == .open else { return }
            var plaintext = [UInt8](repeating: 0, count: 48 * 1_024)
            var ciphertext = [UInt8](repeating: 0, count: 48 * 1_024)
            var room = plaintext.mutableSpan
            var answer = ciphertext.mutableSpan
            let progress = session.receive(part.bytes.span, plaintext: &room, ciphertext: &answer)
            connection.send(Array(ciphertext.prefix(progress.ciphertextByteCount)))
            if progress.status == .failed { return }
            if progress.status == .open, !hasGreeted {
                hasGreeted = true
                connection.send(sealed(greeting, session))
            }
            let read = Array(plaintext.prefix(progress.plaintextByteCount))
            if !read.isEmpty { connection.send(sealed(read, session)) }
            if progress.status == .peerFinished {
                var rest = [UInt8](repeating: 0, count: 1_024)
                var span = rest.mutableSpan
                let last = session.finishSending(ciphertext: &span)
                connection.send(Array(rest.prefix(last.ciphertextByteCount)))
                return
            }
        }
    }

    private static func sealed(_ bytes: [UInt8], _ session: TLSSession) -> [UInt8] {
        var room = [UInt8](
            repeating: 0,
            count: TLSLimits.ciphertextRoom(forPlaintext: bytes.count)
        )
        var span = room.mutableSpan
        let progress = session.send(bytes.span, ciphertext: &span)
        return Array(room.prefix(progress.ciphertextByteCount))
    }
}
