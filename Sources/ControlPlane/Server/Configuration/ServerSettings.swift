import Wire

/// Every setting of the control plane, in the order of deploy/server.yaml.
enum ServerSettings {
    /// The bounds of a leaf's life (DESIGN: 5 minutes to a day).
    static let leafLife: ClosedRange<Duration> = .seconds(300)...(.seconds(86_400))

    static let table = SettingsTable(
        prefix: "TURNPIKE",
        [
            Setting("trust_domain", fallback: "turnpike.internal", "the mesh's trust domain"),
            Setting("name", fallback: "server-1", "this replica's name"),
            Setting(
                "data_directory",
                fallback: "/var/lib/turnpike",
                "embedded database and this replica's files"
            ),
            Setting("keys.kek_file", fallback: "/etc/turnpike/kek", "key-encryption key"),
            Setting(
                "keys.new_kek_file",
                fallback: "",
                "its successor, which may open the database too from this start on"
            ),
            Setting("keys.trust_key_file", fallback: "/etc/turnpike/trust.key", "trust key"),
            Setting(
                "keys.bootstrap_token_file",
                fallback: "/etc/turnpike/bootstrap-token",
                "where the first administrator's token is written"
            ),
            Setting("database.url", fallback: "", "a PostgreSQL URL; empty: the embedded one"),
            Setting(
                "database.binaries",
                fallback: "",
                "directory of initdb and postgres; empty: found"
            ),
            Setting(
                "database.dashboard_listen",
                fallback: "",
                "loopback address and port for dashboards; empty: none"
            ),
            Setting("database.pool_size", .integer(1...256), fallback: "8", "connections"),
            Setting(
                "database.statement_timeout",
                .duration(.milliseconds(100)...(.seconds(600))),
                fallback: "10s",
                "a longer statement is cancelled"
            ),
            Setting("api.listen", fallback: "127.0.0.1:7400", "the admin API"),
            Setting("api.names", .list, fallback: "localhost", "names in the API's certificate"),
            Setting("api.certificate_file", fallback: "", "your own certificate chain (PEM)"),
            Setting("api.key_file", fallback: "", "your own private key (PEM)"),
            Setting("agents.listen", fallback: "127.0.0.1:7401", "where agents connect"),
            Setting("agents.advertise", fallback: "", "host:port of the agent port in join tokens"),
            Setting("agents.advertise_api", fallback: "", "host:port of the API in join tokens"),
            Setting("leaves.ttl", .duration(leafLife), fallback: "1h", "life of a certificate"),
            Setting(
                "shutdown.drain",
                .duration(.zero...(.seconds(600))),
                fallback: "10s",
                "how long requests in flight may take"
            ),
            Setting("log.format", .choice(["text", "json"]), fallback: "text", "how to log"),
            Setting(
                "log.level",
                .choice(["debug", "info", "warning", "error"]),
                fallback: "info",
                "what to log"
            ),
        ]
    )

    /// Settings whose value may hold a password.
    static let secret: Set<String> = ["database.url"]
}
