import Crypto
import Foundation
import HTTP
import Reactor
import Support
import Synchronization
import TLS
import Testing
import Transport
import Wire

@testable import turnpike

/// An API that gives prepared answers over real TLS and remembers what it was asked.
final class ScriptedServer: Sendable {
    struct Request: Equatable, Sendable {
        let method: String
        let target: String
        let body: String
        let authorization: String?

        var line: String { "\(method) \(target)" }
    }

    static let now = Timestamp(secondsSinceEpoch: 1_800_000_000)
    let root: CertificateAuthority
    let caPath: String
    private let server: HTTPServer
    private let script: Script
    private let thread: ReactorThread

    /// The answers by `METHOD /path?query`; the first that the target begins with is given.
    init(_ answers: KeyValuePairs<String, (status: Int, body: String)> = [:]) async throws {
        thread = try ReactorThread(name: "scripted")
        root = try Self.makeRoot()
        caPath = NSTemporaryDirectory() + "turnpike-cli-\(UUID().uuidString).pem"
        try root.certificate.pem.write(toFile: caPath, atomically: true, encoding: .utf8)
        let script = Script(answers.map { ($0.key, $0.value.status, $0.value.body) })
        self.script = script
        let credentials = try Self.credentials(under: root)
        let context = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { _ in credentials },
                clientCertificate: .none,
                verifier: { _ in .refuse(PeerRefusal(.unknownCA, reason: "nobody")) }
            )
        )
        server = try await HTTPServer.start(
            on: .loopback(),
            reactors: [thread.reactor],
            configuration: HTTPServerConfiguration(security: context)
        ) { script.answer($0) }
    }

    var requests: [Request] { script.requests }

    var environment: [String: String] {
        [
            "TURNPIKE_ADDR": "https://\(server.localAddress)",
            "TURNPIKE_CACERT": caPath,
            "TURNPIKE_TOKEN": "tp.secret",
        ]
    }

    /// Runs the command line against this server.
    func run(
        _ arguments: String...,
        environment: [String: String]? = nil,
        input: String = ""
    ) async -> Outcome {
        await Outcome.run(
            arguments,
            environment: environment ?? self.environment,
            input: input,
            on: thread.reactor
        )
    }

    func run(_ arguments: [String], input: String = "") async -> Outcome {
        await Outcome.run(arguments, environment: environment, input: input, on: thread.reactor)
    }

    func finish() async {
        await server.drain(grace: .seconds(5))
        thread.stop()
        try? FileManager.default.removeItem(atPath: caPath)
    }

    static func makeRoot() throws -> CertificateAuthority {
        try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: serial(1),
                notBefore: now - .seconds(3600),
                notAfter: now + .seconds(3600),
                subject: DistinguishedName(commonName: "test root"),
                purpose: .root
            ),
            key: SigningKey.generate(.ecdsaP256)
        )
    }

    private static func serial(_ last: UInt8) -> [UInt8] {
        [UInt8](repeating: 1, count: CertificateTemplate.serialByteCount - 1) + [last]
    }

    private static func credentials(
        under root: CertificateAuthority
    ) throws -> TLSCredentials {
        let key = try SigningKey.generate(.ecdsaP256)
        let leaf = try root.issue(
            CertificateTemplate(
                serialBytes: serial(2),
                notBefore: now - .seconds(60),
                notAfter: now + .seconds(60),
                purpose: .peer(names: [.ip([127, 0, 0, 1])], roles: [.server])
            ),
            for: key.publicKey
        )
        return try TLSCredentials(chain: [leaf], key: key)
    }
}

/// Answers in the order of the script; an answer is used up unless it is the last of its line.
private final class Script: Sendable {
    private struct Answer {
        let line: String
        let status: Int
        let body: String
    }

    private struct State {
        var answers: [Answer]
        var requests: [ScriptedServer.Request] = []
    }

    private let state: Mutex<State>

    init(_ answers: [(String, Int, String)]) {
        state = Mutex(State(answers: answers.map { Answer(line: $0.0, status: $0.1, body: $0.2) }))
    }

    var requests: [ScriptedServer.Request] { state.withLock { $0.requests } }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        let seen = ScriptedServer.Request(
            method: request.head.method.token,
            target: request.head.target.originForm,
            body: String(decoding: request.body, as: UTF8.self),
            authorization: request.head.fields.first(.authorization)
        )
        let found = state.withLock { state -> Answer? in
            state.requests.append(seen)
            guard let index = state.answers.firstIndex(where: { seen.line.hasPrefix($0.line) })
            else { return nil }
            let answer = state.answers[index]
            let isLast = state.answers.filter { $0.line == answer.line }.count == 1
            if !isLast { state.answers.remove(at: index) }
            return answer
        }
        let body = found?.body ?? #"{"errors":["not in the script"],"code":"test.script"}"#
        return HTTPResponse(
            status: HTTP.Status(found?.status ?? 500) ?? .internalServerError,
            body: Array(body.utf8)
        )
    }
}

/// What one run of the command line did.
struct Outcome: Sendable {
    let code: ExitCode
    let output: String
    let errors: String

    /// Without a running reactor only what asks no server can end.
    static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String = "",
        on reactor: Reactor? = nil
    ) async -> Outcome {
        guard let reactor = reactor ?? (try? Reactor()) else {
            return Outcome(code: .unreachable, output: "", errors: "no reactor")
        }
        let sink = Sink()
        let surroundings = Surroundings(
            environment: environment,
            reactor: reactor,
            readInput: { Array(input.utf8) },
            writeOutput: { sink.output($0) },
            writeError: { sink.error($0) },
            now: { ScriptedServer.now }
        )
        let code = await CommandLineRun.run(arguments, in: surroundings)
        return Outcome(code: code, output: sink.texts.0, errors: sink.texts.1)
    }
}

private final class Sink: Sendable {
    private let state = Mutex(("", ""))

    func output(_ text: String) { state.withLock { $0.0 += text } }
    func error(_ text: String) { state.withLock { $0.1 += text } }
    var texts: (String, String) { state.withLock { $0 } }
}
