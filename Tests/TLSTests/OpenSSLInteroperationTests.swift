import Foundation
import Support
import TLS
import Testing

/// Our sessions against the `openssl` command as an independent peer.
@Suite struct OpenSSLInteroperationTests {
    private static let name = "alpha.default.svc.example.test"
    private static let withBeta = [
        "-cert", TestCertificates.beta.chainPath, "-key", TestCertificates.beta.privateKeyPath,
    ]

    /// Runs `openssl s_client` against a server session of ours.
    ///
    /// The client sends one line; with `isInteractive` its input stays open for `answer` to use.
    private func serve(
        _ configuration: TLSServerConfiguration,
        arguments: [String],
        isInteractive: Bool = false,
        answering answer: (OpenSSLCommand, [UInt8]) -> [UInt8]? = { $1 }
    ) throws -> (session: TLSSession, output: String) {
        let (listener, port) = BlockingSocket.listen()
        let root = TestCertificates.root.chainPath
        let fixed = [
            "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", root, "-verify_return_error",
        ]
        let command = try #require(OpenSSLCommand(fixed + arguments))
        command.write("hello\n")
        if !isInteractive { command.closeInput() }
        let session = try TLSSession(server: try TLSContext(server: configuration))
        listener.accept().drive(session) { answer(command, $0) }
        command.closeInput()
        return (session, command.finish().output)
    }

    @Test func clientOfOldVersionIsRefused() throws {
        let (session, output) = try serve(
            .test(),
            arguments: Self.withBeta + ["-servername", Self.name, "-tls1_2"]
        )
        #expect(session.failure?.kind == .protocolVersion)
        #expect(session.failure?.alert == .protocolVersion)
        #expect(output.contains("protocol version"))
    }

    @Test func mutualHandshakeWithALPNAndEcho() throws {
        let echoed = EchoLog()
        let (session, output) = try serve(
            .test(applicationProtocols: ["turnpike/1"]),
            arguments: Self.withBeta + ["-servername", Self.name, "-alpn", "turnpike/1"]
        ) { _, bytes in
            echoed.append(bytes)
            return bytes
        }
        #expect(session.failure == nil)
        #expect(session.peer?.name == "beta")
        #expect(session.applicationProtocol == "turnpike/1")
        #expect(echoed.text == "hello\n")
        #expect(output.contains("Verification: OK"))
        #expect(output.contains("TLS_AES_128_GCM_SHA256"))
        #expect(output.contains("ALPN protocol: turnpike/1"))
        #expect(output.contains("Server Temp Key: X25519"))
        #expect(!output.contains("New Session Ticket"))
        #expect(!output.contains("Early data was accepted"))
    }

    @Test func keyUpdateOfThePeerIsAnswered() throws {
        let echoed = EchoLog()
        var steps = ["K\n", "again\n"]
        let (session, output) = try serve(
            .test(),
            arguments: Self.withBeta + ["-servername", Self.name],
            isInteractive: true
        ) { command, bytes in
            echoed.append(bytes)
            if echoed.text.hasSuffix("again\n") { return nil }
            // One step per arrival: the line, then the KeyUpdate record, which holds no plaintext.
            if echoed.text.hasPrefix("hello\n"), !steps.isEmpty {
                command.write(steps.removeFirst())
            }
            return bytes
        }
        #expect(session.failure == nil)
        #expect(output.contains("KEYUPDATE"))
        #expect(echoed.text == "hello\nagain\n")
    }

    @Test func clientWithoutCertificateIsRefused() throws {
        let (session, _) = try serve(.test(), arguments: ["-servername", Self.name])
        #expect(session.failure?.kind == .noPeerCertificate)
        #expect(session.failure?.alert == .certificateRequired)
    }

    @Test func clientWithoutServerNameIsRefused() throws {
        let (session, output) = try serve(
            .test(),
            arguments: Self.withBeta + ["-noservername"]
        )
        #expect(session.failure?.kind == .unknownServerName)
        #expect(output.contains("unrecognized name"))
    }

    @Test func clientOfAnotherProtocolIsRefused() throws {
        let (session, output) = try serve(
            .test(applicationProtocols: ["turnpike/1"]),
            arguments: Self.withBeta + ["-servername", Self.name, "-alpn", "h2"]
        )
        #expect(session.failure?.kind == .noApplicationProtocol)
        #expect(output.contains("no application protocol"))
    }

    /// Runs a client session of ours against `openssl s_server`, which reverses each line.
    private func connect(
        arguments: [String],
        verifier: @escaping PeerVerifier = accepting(TestCertificates.alpha),
        answering answer: @escaping ([UInt8]) -> [UInt8]?
    ) throws -> TLSSession {
        let server = try #require(OpenSSLServer(arguments: arguments))
        defer { server.stop() }
        let session = try TLSSession(
            client: try TLSContext(client: TLSClientConfiguration(verifier: verifier)),
            serverName: Self.name,
            credentials: try TestCertificates.beta.credentials()
        )
        let socket = try #require(BlockingSocket.connect(port: server.port))
        socket.drive(session, answering: answer)
        return session
    }

    @Test func serverOfOldVersionIsRefused() throws {
        let session = try connect(arguments: ["-tls1_2"]) { _ in [] }
        #expect(session.status == .failed)
        #expect(session.failure?.alert == .protocolVersion)
    }

    @Test func serverThatAsksForOurCertificateAnswers() throws {
        let log = EchoLog()
        var isAsked = false
        let session = try connect(
            arguments: [
                "-rev", "-Verify", "2", "-verify_return_error", "-CAfile",
                TestCertificates.root.chainPath,
            ]
        ) { bytes in
            log.append(bytes)
            if log.text.contains("olleh") { return nil }
            defer { isAsked = true }
            return isAsked ? [] : Array("hello\n".utf8)
        }
        #expect(session.failure == nil)
        #expect(session.peer?.name == "alpha")
        #expect(log.text.contains("olleh"))
    }

    @Test func serverOfAnotherAuthorityIsRefused() throws {
        let session = try connect(arguments: [], verifier: accepting()) { _ in [] }
        #expect(session.failure?.kind == .peerRefused)
        #expect(session.failure?.alert == .unknownCA)
    }
}

/// What a peer sent, as text.
final class EchoLog {
    private(set) var text = ""

    func append(_ bytes: [UInt8]) {
        text += String(decoding: bytes, as: UTF8.self)
    }
}

/// An `openssl s_server` with alpha's certificate on a port of its own choice.
private final class OpenSSLServer {
    let port: UInt16
    private let process = Process()
    private let input = Pipe()

    init?(arguments: [String]) {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert",
                TestCertificates.alpha.chainPath, "-key", TestCertificates.alpha.privateKeyPath,
            ] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = input
        do { try process.run() } catch { return nil }
        var text = ""
        while true {
            let bytes = output.fileHandleForReading.availableData
            guard !bytes.isEmpty else { return nil }
            text += String(decoding: bytes, as: UTF8.self)
            let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.hasPrefix("ACCEPT ") }
            if let found = line?.split(separator: ":").last.flatMap({ UInt16($0) }) {
                port = found
                return
            }
        }
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
