package import Mesh
package import Postgres
import Wire

/// Where egress agents reach services outside of the mesh; forged rows are absent from every answer.
package enum ExternalRepository {
    /// Stands in the feed where an instance has its name; no instance can be called so.
    package static let feedName = "@external"

    private static let select: SQL = """
        SELECT namespace, service, agent, host, port, tls, allow_local, revision, created_at,
            updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'instance'
                AND changes.key = externals.namespace || '/' || externals.service
                    || '/' || externals.agent || '/@external'
                AND (changes.revision > externals.revision
                    OR changes.revision = externals.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.externals
        """

    /// The statement that stores a target, new or changed; a forged row of its key is replaced.
    package static func put(_ row: Stored<ExternalTarget>, guardedBy rowGuard: RowGuard) -> SQL {
        let target = row.value
        return """
            INSERT INTO turnpike.externals (
                namespace, service, agent, host, port, tls, allow_local, revision, created_at,
                updated_at, created_by, mac
            ) VALUES (
                \(target.service.namespace.text), \(target.service.name.text),
                \(target.agent.text), \(target.host.description), \(Int(target.port)),
                \(target.tlsDocument.jsonText), \(target.allowsLocal), \(row.revision),
                \(row.createdAt), \(row.updatedAt), \(row.createdBy),
                \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (namespace, service, agent) DO UPDATE SET
                host = excluded.host, port = excluded.port, tls = excluded.tls,
                allow_local = excluded.allow_local, revision = excluded.revision,
                created_at = excluded.created_at, updated_at = excluded.updated_at,
                created_by = excluded.created_by, mac = excluded.mac
            """
    }

    /// The statement that removes a target.
    package static func delete(_ service: ServiceName, _ agent: AgentName) -> SQL {
        """
        DELETE FROM turnpike.externals WHERE namespace = \(service.namespace.text)
        AND service = \(service.name.text) AND agent = \(agent.text)
        """
    }

    /// Every target of these agents.
    package static func find(
        onAgents agents: [AgentName],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<ExternalTarget>] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE agent = ANY(\(agents.map(\.text)))"
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of service and agent, perhaps of one service, of one agent, or both.
    package static func list(
        service: ServiceName? = nil,
        agent: AgentName? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<ExternalTarget>> {
        let bounds = PageBounds(after: after, limit: limit)
        let rows = try await transaction.query(
            bounds.statement(select, service: service, agent: agent)
        )
        return try bounds.page(
            rows,
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    private static let keyColumns = ["namespace", "service", "agent"]

    private static func content(of row: Stored<ExternalTarget>) -> RowContent {
        let target = row.value
        var content = RowContent(table: "externals", key: "\(target.service)/\(target.agent)")
        content.add("host", target.host.description)
        content.add("port", Int64(target.port))
        content.add("tls", target.tlsDocument)
        content.add("allow_local", target.allowsLocal)
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<ExternalTarget>? {
        try rowGuard.admit(row, of: "externals", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            let tls: JSONText = try row.decode("tls")
            let fields = Document.fields([
                "host": .string(try row.decode("host", as: String.self)),
                "port": .number(try row.decode("port", as: Int.self)),
                "tls": try? JSON.parse(tls.text, source: "tls"),
                "allow_local": .bool(try row.decode("allow_local")),
            ])
            let service = try row.serviceName("namespace", "service")
            let agent: AgentName = try row.label("agent")
            do throws(FieldError) {
                let value = FieldValue(fields)
                return try value.map { reader throws(FieldError) in
                    try ExternalTarget(
                        service: service,
                        agent: agent,
                        reachedBy: &reader,
                        at: value
                    )
                }
            } catch {
                throw .undecodable(column: "tls", type: .jsonb, .unknownValue)
            }
        }
    }
}

extension ExternalTarget {
    /// What the column `tls` holds.
    fileprivate var tlsDocument: Document { reachDocument["tls"] ?? .null }
}
