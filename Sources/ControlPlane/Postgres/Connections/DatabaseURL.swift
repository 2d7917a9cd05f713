/// Where a database is and who connects: `postgresql://user:password@host:port,host/name?…`.
///
/// A host that is neither a socket directory nor this machine needs `sslmode=verify-full` and
/// `sslrootcert`. The password appears in no description, mirror or error.
package struct DatabaseURL: Equatable, Sendable {
    /// A host name, an address or the directory of a unix socket, and a port.
    package struct Host: Equatable, Sendable {
        package let name: String
        package let port: UInt16

        package init(name: String, port: UInt16 = DatabaseURL.defaultPort) {
            self.name = name
            self.port = port
        }

        /// Whether the connection stays on this machine.
        package var isLocal: Bool {
            if name.hasPrefix("/") || ["localhost", "::1"].contains(name) { return true }
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts[0] == "127"
                && parts.allSatisfy { UInt8($0).map { String($0) } == String($0) }
        }
    }

    /// How much TLS is asked for, in the words of libpq.
    package enum SSLMode: String, Equatable, Sendable, CaseIterable {
        case disable, allow, prefer, require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    package static let defaultPort: UInt16 = 5_432
    /// Hosts in one URL.
    package static let hostsMax = 16
    /// Bytes of a URL.
    package static let byteCountMax = 4_096

    package let hosts: [Host]
    package let user: String
    package let database: String
    package let sslMode: SSLMode
    package let rootCertificateFile: String?
    package let certificateFile: String?
    package let keyFile: String?
    let password: String?

    /// Connects through the socket in `socketDirectory`.
    package init(
        socketDirectory: String,
        port: UInt16 = DatabaseURL.defaultPort,
        user: String,
        password: String?,
        database: String
    ) {
        hosts = [Host(name: socketDirectory, port: port)]
        self.user = user
        self.password = password
        self.database = database
        sslMode = .disable
        rootCertificateFile = nil
        certificateFile = nil
        keyFile = nil
    }

    init(
        hosts: [Host],
        user: String,
        password: String?,
        database: String,
        options: Options
    ) throws(DatabaseURLError) {
        self.hosts = hosts
        self.user = user
        self.password = password
        self.database = database
        rootCertificateFile = options.rootCertificateFile
        certificateFile = options.certificateFile
        keyFile = options.keyFile
        sslMode = options.sslMode ?? .prefer
        guard let remote = hosts.first(where: { !$0.isLocal }) else { return }
        guard sslMode == .verifyFull else { throw .unverifiedRemoteHost(remote.name) }
        guard rootCertificateFile != nil else { throw .missingRootCertificate(remote.name) }
    }

    /// Connects over TCP to one host, which proves by a path to the authorities of a PEM file and by its
    /// name who it is; nil takes it at its word, which only this machine's is good for.
    package init(
        host: Host,
        user: String,
        password: String?,
        database: String,
        verifiedBy rootCertificateFile: String?
    ) throws(DatabaseURLError) {
        var options = Options()
        options.sslMode = rootCertificateFile == nil ? .disable : .verifyFull
        options.rootCertificateFile = rootCertificateFile
        try self.init(
            hosts: [host],
            user: user,
            password: password,
            database: database,
            options: options
        )
    }

    /// The same server and user, another database.
    package func withDatabase(_ name: String) -> DatabaseURL {
        DatabaseURL(copying: self, user: user, password: password, database: name)
    }

    /// The same server, another user.
    package func withUser(_ user: String, password: String?) -> DatabaseURL {
        DatabaseURL(copying: self, user: user, password: password, database: database)
    }

    private init(copying other: DatabaseURL, user: String, password: String?, database: String) {
        hosts = other.hosts
        self.user = user
        self.password = password
        self.database = database
        sslMode = other.sslMode
        rootCertificateFile = other.rootCertificateFile
        certificateFile = other.certificateFile
        keyFile = other.keyFile
    }
}

extension DatabaseURL: CustomStringConvertible, CustomReflectable {
    /// The URL without its password and options.
    package var description: String {
        let places = hosts.map { host in
            host.name.contains(":") ? "[\(host.name)]:\(host.port)" : "\(host.name):\(host.port)"
        }
        return "postgresql://\(user)@\(places.joined(separator: ","))/\(database)"
    }

    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// What is wrong with a database URL; names hosts and options, never user or password.
package enum DatabaseURLError: Error, Equatable, Sendable {
    case tooLong
    case wrongScheme
    case malformedEscape
    case ambiguousAt
    case missingUser
    case missingDatabase
    case missingHost
    case malformedHost
    case malformedPort
    case tooManyHosts
    case unknownOption(String)
    case repeatedOption(String)
    case malformedOption(String)
    case unverifiedRemoteHost(String)
    case missingRootCertificate(String)
}

extension DatabaseURLError: CustomStringConvertible {
    package var description: String {
        "database URL: " + problem
    }

    private var problem: String {
        switch self {
        case .tooLong: "it is longer than \(DatabaseURL.byteCountMax) bytes"
        case .wrongScheme: "it must begin with postgresql:// or postgres://"
        case .malformedEscape: "a % must be followed by two hexadecimal digits, none of them %00"
        case .ambiguousAt: "there is more than one @; write %40 inside user or password"
        case .missingUser: "it names no user; write postgresql://USER@HOST/DATABASE"
        case .missingDatabase: "it names no database; write postgresql://USER@HOST/DATABASE"
        case .missingHost: "it names no host; write a host or host=/socket/directory"
        case .malformedHost: "a host must be a DNS name, an IPv4 address or [an IPv6 address]"
        case .malformedPort: "a port must be a number from 1 to 65535"
        case .tooManyHosts: "it names more than \(DatabaseURL.hostsMax) hosts"
        case .unknownOption(let name):
            "option \(name) is not supported; supported are \(DatabaseURL.Options.names)"
        case .repeatedOption(let name): "option \(name) is given twice"
        case .malformedOption(let name): "option \(name) has a value that is not allowed"
        case .unverifiedRemoteHost(let host):
            "host \(host) is remote, so sslmode=verify-full is required"
        case .missingRootCertificate(let host):
            "host \(host) is remote, so sslrootcert=FILE must name the CA of its certificate"
        }
    }
}
