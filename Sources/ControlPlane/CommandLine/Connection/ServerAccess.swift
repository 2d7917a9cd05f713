import Crypto
import HTTP
import Reactor
import Wire

/// Where the server is, whom to trust and who we are; all of it from the environment.
struct ServerAccess: Sendable {
    static let portDefault: UInt16 = 7400
    private static let tokenByteCountMax = 4096

    let host: String
    let port: UInt16
    let authority: Authority
    let roots: [Certificate]
    let rootsPath: String
    let token: String

    init(_ environment: [String: String]) throws(Failure) {
        authority = try Self.authority(environment["TURNPIKE_ADDR"] ?? "")
        port = authority.port ?? Self.portDefault
        let host = authority.host
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        rootsPath = environment["TURNPIKE_CACERT"] ?? ""
        roots = try Self.roots(rootsPath)
        token = try Self.token(environment)
    }

    private static func authority(_ text: String) throws(Failure) -> Authority {
        guard !text.isEmpty else {
            throw .usage(
                "TURNPIKE_ADDR is not set: where is the server?",
                hint: "export TURNPIKE_ADDR=https://HOST:\(portDefault)"
            )
        }
        var rest = text[...]
        if rest.hasPrefix("https://") { rest = rest.dropFirst(8) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let authority = Authority(String(rest)), !rest.contains("/") else {
            throw .usage(
                "TURNPIKE_ADDR is no address of a server",
                hint: "write https://HOST:\(portDefault); the API is served over TLS only"
            )
        }
        guard authority.port == nil else { return authority }
        return Authority("\(authority.host):\(portDefault)") ?? authority
    }

    private static func roots(_ path: String) throws(Failure) -> [Certificate] {
        guard !path.isEmpty else {
            throw .usage(
                "TURNPIKE_CACERT is not set: which authority vouches for the server?",
                hint: "export TURNPIKE_CACERT=FILE, the PEM file of the server's CA"
            )
        }
        do {
            let bytes = try FileSystem.read(
                path,
                byteCountMax: PEM.textBytesMax,
                followsLinks: true
            )
            let blocks = try PEM.decode(bytes).filter { $0.label == "CERTIFICATE" }
            guard !blocks.isEmpty else {
                throw Failure.usage("TURNPIKE_CACERT: \(path) holds no certificate in PEM")
            }
            return try blocks.map { try Certificate(der: $0.bytes) }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("TURNPIKE_CACERT: \(path): \(error)")
        }
    }

    private static func token(_ environment: [String: String]) throws(Failure) -> String {
        if let text = environment["TURNPIKE_TOKEN"], !text.isEmpty {
            return try checked(text, from: "TURNPIKE_TOKEN")
        }
        guard let path = environment["TURNPIKE_TOKEN_FILE"], !path.isEmpty else {
            throw Failure(
                .refused,
                "neither TURNPIKE_TOKEN nor TURNPIKE_TOKEN_FILE is set: who are you?",
                hint: "export TURNPIKE_TOKEN_FILE=FILE with a token from `turnpike token create`;"
                    + " a new server writes its first one into its bootstrap token file"
            )
        }
        do {
            let bytes = try FileSystem.readSecret(path, byteCountMax: tokenByteCountMax)
            var text = String(decoding: bytes, as: UTF8.self)[...]
            while text.last?.isWhitespace == true { text.removeLast() }
            return try checked(String(text), from: "TURNPIKE_TOKEN_FILE")
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("TURNPIKE_TOKEN_FILE: \(error)")
        }
    }

    private static func checked(_ text: String, from source: String) throws(Failure) -> String {
        let isToken = !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isToken, text.utf8.count <= tokenByteCountMax else {
            throw .usage("\(source) holds no token", hint: "a token is one word: tp. and 43 more")
        }
        return text
    }
}
