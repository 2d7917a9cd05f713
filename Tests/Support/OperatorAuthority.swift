import Foundation

/// An operator's own CA, kept by the `openssl` command: a root and, unless left out, a CA below it
/// that signs requests.
package final class OperatorAuthority: Sendable {
    /// What went wrong with the command.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// What an intermediate has where its request is not copied.
    package static let extensions = [
        "basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign",
        "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always",
    ]
    private static let rootExtensions = [
        "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
        "subjectKeyIdentifier=hash",
    ]

    package let directory: String
    /// PEM, and where it lies.
    package let root: String
    package let rootPath: String
    /// The CA that signs, its key in PKCS#8, and everything above it.
    package let signer: String
    package let signerKey: String
    package let chain: String
    private let signerPath: String

    /// `key` is how `openssl genpkey` names the root's, such as `RSA` or `EC`.
    package init(
        key: String = "RSA",
        issuing: Bool = true,
        rootExtensions: [String] = OperatorAuthority.rootExtensions,
        rootDays: Int = 3_650
    ) throws {
        let directory = NSTemporaryDirectory() + "turnpike-operator-\(UUID().uuidString)"
        self.directory = directory
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        rootPath = directory + "/root.pem"
        try Self.write("[req]\ndistinguished_name=dn\n[dn]\n", to: directory + "/openssl.cnf")
        try Self.makeKey(key, directory + "/root.key")
        try Self.request("Operator root", directory + "/root", in: directory)
        try Self.sign(
            directory + "/root",
            by: nil,
            days: rootDays,
            rootExtensions,
            copies: false
        )
        root = try Self.read(rootPath)
        guard issuing else {
            signer = root
            chain = ""
            signerPath = directory + "/root"
            signerKey = try Self.read(directory + "/root.key")
            return
        }
        signerPath = directory + "/issuing"
        try Self.makeKey("EC", signerPath + ".key")
        try Self.request("Operator issuing CA", signerPath, in: directory)
        try Self.sign(
            signerPath,
            by: directory + "/root",
            days: min(rootDays, 1_000),
            Self.rootExtensions + ["authorityKeyIdentifier=keyid:always"],
            copies: false
        )
        signer = try Self.read(signerPath + ".pem")
        signerKey = try Self.read(signerPath + ".key")
        chain = signer + root
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Signs a request, PEM; without `copies` nothing of what it asks for is taken over.
    package func sign(
        _ request: String,
        _ extensions: [String] = ["authorityKeyIdentifier=keyid:always"],
        copies: Bool = true,
        days: Int = 90
    ) throws -> String {
        let path = directory + "/\(UUID().uuidString)"
        try Self.write(request, to: path + ".csr")
        try Self.sign(path, by: signerPath, days: days, extensions, copies: copies)
        return try Self.read(path + ".pem")
    }

    /// What the command says of a request or a certificate, PEM.
    package static func text(of pem: String, _ command: String) throws -> String {
        let path = NSTemporaryDirectory() + "turnpike-\(UUID().uuidString).pem"
        try write(pem, to: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try run([command, "-in", path, "-noout", "-text"])
    }

    /// Makes a private key in PKCS#8, mode 0600.
    package static func makeKey(_ kind: String, _ path: String) throws {
        let options =
            kind == "EC"
            ? ["-pkeyopt", "ec_paramgen_curve:P-256"]
            : kind == "RSA" ? ["-pkeyopt", "rsa_keygen_bits:2048"] : []
        try run(["genpkey", "-algorithm", kind, "-out", path] + options)
    }

    private static func request(_ name: String, _ path: String, in directory: String) throws {
        try run([
            "req", "-new", "-config", directory + "/openssl.cnf", "-key", path + ".key", "-subj",
            "/CN=\(name)", "-out", path + ".csr",
        ])
    }

    private static func sign(
        _ path: String,
        by signer: String?,
        days: Int,
        _ extensions: [String],
        copies: Bool
    ) throws {
        try write(extensions.map { $0 + "\n" }.joined(), to: path + ".ext")
        let serial = String(UInt64.random(in: 1...(.max)), radix: 16)
        var arguments = [
            "x509", "-req", "-in", path + ".csr", "-days", "\(days)", "-set_serial",
            "0x\(serial)", "-extfile", path + ".ext", "-out", path + ".pem",
        ]
        if copies { arguments += ["-copy_extensions", "copy"] }
        if let signer {
            arguments += ["-CA", signer + ".pem", "-CAkey", signer + ".key"]
        } else {
            arguments += ["-key", path + ".key"]
        }
        try run(arguments)
    }

    @discardableResult
    private static func run(_ arguments: [String]) throws -> String {
        let end = OpenSSLCommand.run(arguments)
        guard end.status == 0 else { throw Failure(description: end.output) }
        return end.output
    }

    private static func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private static func read(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8)
    }
}
