import Wire

extension SettingsTable {
    /// Every setting of the agent.
    static let agent = SettingsTable(
        prefix: "TURNPIKE_AGENT",
        [
            Setting(
                "data_directory",
                fallback: "/var/lib/turnpike-agent",
                "where keys, the last snapshot and unsent evidence are kept"
            ),
            Setting(
                "servers",
                .list,
                fallback: "",
                "control plane replicas, host:port of their agent port, separated by commas"
            ),
            Setting(
                "mesh.listen",
                fallback: "0.0.0.0:7443",
                "where other agents connect"
            ),
            Setting(
                "mesh.advertise",
                fallback: "",
                "host:port under which other agents reach it, if not the listen address"
            ),
            Setting(
                "upstreams.address",
                fallback: "127.0.0.1",
                "the loopback address of the upstream ports"
            ),
            Setting(
                "status.listen",
                fallback: "127.0.0.1:7410",
                "status and metrics, loopback only"
            ),
            Setting(
                "limits.reactors",
                .integer(0...1024),
                fallback: "0",
                "threads that move traffic, 0 for one per CPU"
            ),
            Setting(
                "limits.connections",
                .integer(1...10_000_000),
                fallback: "100000",
                "connections through this agent, both directions together"
            ),
            Setting(
                "limits.memory",
                .byteCount(.mebibytes(0) ... .mebibytes(1 << 30)),
                fallback: "0MiB",
                "memory this process may occupy, 0MiB for what its cgroup allows"
            ),
            Setting(
                "limits.handshake_timeout",
                .duration(.milliseconds(100) ... .seconds(600)),
                fallback: "10s",
                "how long a TLS handshake may take"
            ),
            Setting(
                "limits.connect_timeout",
                .duration(.milliseconds(100) ... .seconds(600)),
                fallback: "5s",
                "how long an attempt to connect may take"
            ),
            Setting(
                "limits.idle_timeout",
                .duration(.zero ... .seconds(7 * 86_400)),
                fallback: "0s",
                "how long a connection may be quiet, 0s for ever"
            ),
            Setting(
                "limits.drain",
                .duration(.zero ... .seconds(3_600)),
                fallback: "10s",
                "how long connections may finish after SIGTERM"
            ),
            Setting(
                "limits.evidence",
                .byteCount(.mebibytes(1) ... .mebibytes(1 << 20)),
                fallback: "64MiB",
                "evidence kept on disk while the control plane is away"
            ),
            Setting("log.format", .choice(["text", "json"]), fallback: "text", "text or json"),
            Setting(
                "log.level",
                .choice(["debug", "info", "warning", "error"]),
                fallback: "info",
                "debug, info, warning or error"
            ),
        ]
    )
}
