package import Reactor

/// A loopback port of the private cluster through which one role reads one database.
///
/// PostgreSQL gives its socket and its listeners the same port number.
package struct ReaderPort: Equatable, Sendable {
    let host: IPAddress
    let port: UInt16
    let role: PostgresName
    let database: PostgresName

    /// Nil unless the address is a loopback one with a port.
    package init?(_ address: SocketAddress, role: PostgresName, database: PostgresName) {
        guard case .ip(let host, let port) = address, host.isLoopback, port != 0 else { return nil }
        self.host = host
        self.port = port
        self.role = role
        self.database = database
    }
}

/// Who may log in to the private cluster, and from where: the lines of `pg_hba.conf`.
enum ClientAuthentication {
    /// Everybody by password through the private socket; over TCP the reader alone.
    static func rules(for reader: ReaderPort?) -> String {
        let lines = ["local all all scram-sha-256"] + (reader.map { [line(for: $0)] } ?? [])
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(for reader: ReaderPort) -> String {
        let network =
            switch reader.host {
            case .v4: "127.0.0.0/8"
            case .v6: "::1/128"
            }
        return "host \(reader.database.text) \(reader.role.text) \(network) scram-sha-256"
    }
}
