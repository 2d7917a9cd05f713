import Wire

/// Who signs for the mesh, for people.
enum AuthorityText {
    static func text(_ answer: Document, now: Timestamp) -> String {
        let columns = [
            Column("STATE", "state"), Column("ZONE", "zone"), Column("SHA-256", "sha256"),
            Column("EXPIRES") { Age.text($0["not_after"], now: now) },
        ]
        var text = "trust domain \(Terminal.line(answer.shown("trust_domain")))\n"
        for (title, field) in [("roots", "roots"), ("intermediates", "intermediates")] {
            text += "\n\(title)\n\(answer.list(field).table(columns).text(indent: "  "))"
        }
        if answer["root_key"]?.text == "outside" {
            text += "  the key of the root is outside: `turnpike ca csr` asks its owner\n"
        }
        guard let trust = answer["trust_document"] else { return text }
        text += "\ntrust document\n"
        for (label, field) in [
            ("version", "version"), ("epoch", "epoch"), ("hash", "hash"), ("issued", "issued"),
            ("threshold", "threshold"),
        ] {
            text += "  \(label.padded(to: 12))\(Terminal.line(trust.shown(field)))\n"
        }
        let keys = trust.list("snapshot_keys")
        guard !keys.isEmpty else { return text }
        return text + "\nsnapshot keys\n"
            + keys.table([
                Column("KEY", "key_id"), Column("FROM", "not_before"), Column("UNTIL", "not_after"),
            ]).text(indent: "  ")
    }
}
