import Wire

/// The status for people.
enum StatusText {
    private static let labelWidth = 16

    static func text(_ status: Document, now: Timestamp) -> String {
        var text = ""
        func line(_ label: String, _ value: String) {
            text += label.padded(to: labelWidth) + Terminal.line(value) + "\n"
        }
        line("cluster", status.shown("cluster_id"))
        line("trust domain", status.shown("trust_domain"))
        line("server", "\(status.shown("server")) (version \(status.shown("version")))")
        line("revision", status.shown("revision"))
        line("administrators", status.shown("administrators"))
        if let end = status["bootstrap_expires_at"], !end.isNull {
            line(
                "bootstrap",
                "the bootstrap token ends \(Age.text(end, now: now)): make an administrator with"
                    + " `turnpike token create --policy admin --name NAME`"
            )
        }
        let servers = status.list("servers")
        if !servers.isEmpty {
            text += "\nservers\n"
            text += servers.table([
                Column("NAME", "name"), Column("VERSION", "version"),
                Column("LAST SEEN") { Age.text($0["last_seen"], now: now) },
                Column("API", "api_address"), Column("AGENTS", "agent_address"),
            ]).text(indent: "  ")
        }
        let ending = status.list("authorities").filter { $0["zone"]?.text != "fresh" }
        if !ending.isEmpty {
            text += "\nALARM: certificate authorities near their end; see `turnpike help rotate`\n"
            text += ending.table([
                Column("KIND", "kind"), Column("ZONE", "zone"),
                Column("ENDS") { Age.text($0["not_after"], now: now) },
            ]).text(indent: "  ")
        }
        let alarms = status.list("row_alarms")
        if !alarms.isEmpty {
            text += "\nALARM: rows that somebody wrote behind the server's back; they count as"
            text += " absent\n"
            text += alarms.table([Column("TABLE", "table"), Column("KEY", "key")])
                .text(indent: "  ")
        }
        return text + rest(of: status)
    }

    private static let known: Set<String> = [
        "cluster_id", "trust_domain", "server", "version", "revision", "administrators",
        "bootstrap_expires_at", "servers", "row_alarms",
        "authorities",
    ]

    /// What a newer server says beyond that.
    private static func rest(of status: Document) -> String {
        (status.entries ?? []).filter { !known.contains($0.key) && !$0.value.isNull }.map {
            $0.key.padded(to: labelWidth) + Terminal.line($0.value.shown) + "\n"
        }.joined()
    }
}
