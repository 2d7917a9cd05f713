import Wire

/// Where to connect and the bounds of one connection.
package struct PostgresSettings: Equatable, Sendable {
    package var url: DatabaseURL
    package var applicationName = "turnpike"
    /// Per host of the URL; libpq counts whole seconds, at least 2.
    package var connectTimeout: Duration = .seconds(5)
    /// Enforced by the server.
    package var statementTimeout: Duration = .seconds(10)
    package var lockTimeout: Duration = .seconds(5)
    package var idleInTransactionTimeout: Duration = .seconds(15)
    /// How much longer than `statementTimeout` an answer is waited for, and how long a cancel
    /// request may take, before the connection is given up.
    package var answerGrace: Duration = .seconds(2)
    /// How long sent bytes may stay unacknowledged (`tcp_user_timeout`).
    package var unacknowledgedTimeout: Duration = .seconds(20)
    package var preparedStatementsMax = 256
    /// Schemas of unqualified names; plain lower-case words.
    package var searchPath = ["turnpike", "pg_temp"]
    /// Refuses standbys, so that among several hosts the primary is found.
    package var requiresReadWrite = true

    /// The role that sessions take on, where the one that logs in may do more than is needed.
    package var role: PostgresName?

    package init(url: DatabaseURL) {
        self.url = url
    }

    /// The keyword and value pairs that libpq is given; environment variables cannot replace them.
    var parameters: [(keyword: String, value: String)] {
        var pairs: [(keyword: String, value: String)] = [
            ("host", url.hosts.map(\.name).joined(separator: ",")),
            ("port", url.hosts.map { String($0.port) }.joined(separator: ",")),
            ("user", url.user),
            ("dbname", url.database),
            ("sslmode", url.sslMode.rawValue),
            ("ssl_min_protocol_version", "TLSv1.2"),
            ("gssencmode", "disable"),
            ("client_encoding", "UTF8"),
            ("application_name", applicationName),
            ("connect_timeout", String(max(2, connectTimeout.components.seconds))),
            ("keepalives", "1"),
            ("keepalives_idle", "15"),
            ("keepalives_interval", "5"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", String(unacknowledgedTimeout.wholeMilliseconds)),
            ("target_session_attrs", requiresReadWrite ? "read-write" : "any"),
            ("options", serverOptions),
        ]
        if let password = url.password { pairs.append(("password", password)) }
        if let file = url.rootCertificateFile { pairs.append(("sslrootcert", file)) }
        if let file = url.certificateFile { pairs.append(("sslcert", file)) }
        if let file = url.keyFile { pairs.append(("sslkey", file)) }
        return pairs
    }

    private var serverOptions: String {
        let taken = role.map { ["role=\($0.text)"] } ?? []
        let options = [
            "statement_timeout=\(statementTimeout.wholeMilliseconds)",
            "lock_timeout=\(lockTimeout.wholeMilliseconds)",
            "idle_in_transaction_session_timeout=\(idleInTransactionTimeout.wholeMilliseconds)",
            "search_path=\(searchPath.joined(separator: ","))",
            "timezone=UTC",
            "client_min_messages=warning",
        ]
        return (options + taken).map { "-c \($0)" }.joined(separator: " ")
    }
}

extension Duration {
    /// Whole milliseconds, at least 1: zero would mean "no limit" to PostgreSQL.
    var wholeMilliseconds: Int64 { max(1, nanosecondsClamped / 1_000_000) }
}
