import Foundation

/// Chains and keys for tests, made once per process by the `openssl` command line.
package struct TestCertificate: Sendable {
    package let name: String
    /// The leaf alone, PEM.
    package let chainPEM: String
    package let privateKeyPEM: String
    /// The leaf's DER.
    package let leaf: [UInt8]
    package let chainPath: String
    package let privateKeyPath: String
}

package enum TestCertificates {
    /// PEM and path of the root that signed every certificate below.
    package static let rootPath = directory + "/root.pem"
    package static let root = make("root", names: [], signed: false)
    /// `alpha.default.svc.example.test`.
    package static let alpha = service("alpha")
    package static let beta = service("beta")
    /// `localhost` and 127.0.0.1, with an RSA key.
    package static let web = make(
        "web",
        names: ["DNS:localhost", "DNS:enroll.example.test", "IP:127.0.0.1"],
        signed: true,
        keyOptions: ["-newkey", "rsa:2048"]
    )
    /// Signed by itself, with alpha's names.
    package static let impostor = make(
        "impostor",
        names: serviceNames("alpha"),
        signed: false
    )

    package static func service(_ name: String) -> TestCertificate {
        make(name, names: serviceNames(name), signed: true)
    }

    private static let directory: String = {
        let path = NSTemporaryDirectory() + "turnpike-tests-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        return path
    }()

    private static func serviceNames(_ name: String) -> [String] {
        [
            "URI:spiffe://example.test/ns/default/svc/\(name)",
            "DNS:\(name).default.svc.example.test",
        ]
    }

    private static let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

    private static func make(
        _ name: String,
        names: [String],
        signed: Bool,
        keyOptions: [String] = elliptic
    ) -> TestCertificate {
        let chain = "\(directory)/\(name).pem"
        let key = "\(directory)/\(name).key"
        var arguments = ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=\(name)"]
        arguments += keyOptions + ["-keyout", key, "-out", chain]
        if !names.isEmpty {
            arguments += ["-addext", "subjectAltName=" + names.joined(separator: ",")]
            arguments += ["-addext", "basicConstraints=critical,CA:FALSE"]
            arguments += ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
        }
        if signed { arguments += ["-CA", root.chainPath, "-CAkey", root.privateKeyPath] }
        let result = OpenSSLCommand.run(arguments)
        precondition(result.status == 0, result.output)
        let text = (try? String(contentsOfFile: chain, encoding: .utf8)) ?? ""
        let body = text.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        return TestCertificate(
            name: name,
            chainPEM: text,
            privateKeyPEM: (try? String(contentsOfFile: key, encoding: .utf8)) ?? "",
            leaf: [UInt8](Data(base64Encoded: body) ?? Data()),
            chainPath: chain,
            privateKeyPath: key
        )
    }
}

/// Runs the `openssl` command line, the independent other end of our tests.
package final class OpenSSLCommand: Sendable {
    private let process = Process()
    private let output = Pipe()
    private let input = Pipe()

    /// Starts the command; nil when it does not exist.
    package init?(_ arguments: [String]) {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = output
        process.standardError = output
        process.standardInput = input
        do { try process.run() } catch { return nil }
    }

    /// Writes to standard input.
    package func write(_ text: String) {
        try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    /// Ends standard input.
    package func closeInput() {
        try? input.fileHandleForWriting.close()
    }

    /// Ends the command.
    package func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Waits for the end and returns all output.
    package func finish() -> (status: Int32, output: String) {
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }

    /// Runs to the end without any input.
    package static func run(_ arguments: [String]) -> (status: Int32, output: String) {
        guard let command = OpenSSLCommand(arguments) else { return (-1, "no openssl command") }
        command.closeInput()
        return command.finish()
    }
}
