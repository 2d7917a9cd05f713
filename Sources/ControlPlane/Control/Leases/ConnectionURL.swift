import Mesh
import Postgres
import Wire

/// Where the administrator of a target logs in, as clients of Vault write it: a PostgreSQL URL in
/// which `{{username}}` and `{{password}}` stand for what is given beside it.
struct ConnectionURL: Equatable {
    private static let usernameMark = "{{username}}"
    private static let passwordMark = "{{password}}"

    let place: LeaseTarget.Place
    let database: String
    /// The user that is written out; nil where `{{username}}` stands.
    let user: String?
    /// What `sslmode` asks for; nil where it says nothing.
    let isVerified: Bool?

    /// Reads a URL; a password in it is refused, because URLs end up in logs.
    init(_ text: String) throws(ControlError) {
        let scheme = text.split(separator: "://", maxSplits: 1).first.map(String.init) ?? ""
        let rest = text.dropFirst(scheme.utf8.count + "://".utf8.count)
        guard ["postgres", "postgresql"].contains(scheme), let end = rest.firstIndex(of: "@")
        else {
            throw Self.wrong(
                "must be written postgresql://{{username}}:{{password}}@HOST:PORT/DATABASE?sslmode=…"
            )
        }
        let parts = rest[..<end].split(
            separator: ":",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard parts.count < 2 || parts[1].isEmpty || parts[1] == Self.passwordMark else {
            throw Self.wrong("must hold {{password}} and never a password: give it in `password`")
        }
        let written = String(parts.first ?? "")
        let isMarked = written == Self.usernameMark || written.isEmpty
        // The mark is no text of a URL, and the host is not to be believed before its authorities
        // are seen: those come beside it.
        let plain = "\(scheme)://\(isMarked ? "u" : written)@\(rest[rest.index(after: end)...])"
        guard !plain.contains("sslrootcert") else {
            throw Self.wrong("names a file of another machine: give the PEM text in `tls_ca`")
        }
        let mark = plain.contains("?") ? "&" : "?"
        let url: DatabaseURL
        do throws(DatabaseURLError) {
            url = try DatabaseURL(parsing: plain + mark + "sslrootcert=/tls_ca")
        } catch {
            throw Self.wrong(error.description)
        }
        guard url.hosts.count == 1, let host = url.hosts.first else {
            throw Self.wrong("must name one host")
        }
        guard url.certificateFile == nil, url.keyFile == nil else {
            throw Self.wrong("names files of another machine: the administrator has a password")
        }
        switch url.sslMode {
        case .verifyFull: isVerified = true
        case .disable: isVerified = false
        case .prefer where !plain.contains("sslmode="): isVerified = nil
        case .allow, .prefer, .require, .verifyCA:
            throw Self.wrong(
                "must say sslmode=verify-full with tls_ca, or sslmode=disable on this very machine"
            )
        }
        user = isMarked ? nil : url.user
        database = url.database
        if host.name.hasPrefix("/") {
            place = .socket(directory: host.name, port: host.port)
        } else {
            do throws(NameError) {
                place = .host(try OutsideHost(host.name), port: host.port)
            } catch {
                throw Self.wrong("host: \(error)")
            }
        }
    }

    /// How a target is reached, without who logs in.
    static func text(of target: LeaseTarget) -> String {
        let marks = "postgresql://\(usernameMark):\(passwordMark)@"
        let database = escaped(target.database)
        switch target.place {
        case .socket(let directory, let port):
            return "\(marks):\(port)/\(database)?host=\(escaped(directory))"
        case .host(let host, let port):
            let name = "\(host)".contains(":") ? "[\(host)]" : "\(host)"
            let mode = target.security == .plain ? "disable" : "verify-full"
            return "\(marks)\(name):\(port)/\(database)?sslmode=\(mode)"
        }
    }

    static func wrong(_ problem: String) -> ControlError {
        .invalid("target.connection_url", field: "connection_url", problem)
    }

    private static func escaped(_ text: String) -> String {
        var output = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F, 0x7E:
                output.unicodeScalars.append(Unicode.Scalar(byte))
            default: output += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return output
    }
}
