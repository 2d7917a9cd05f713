package import Mesh
package import Postgres
import Wire

/// Services by namespace and name.
package enum ServiceRepository {
    private static let select: SQL = """
        SELECT namespace, name, protocol, leaf_ttl_seconds, health_check, description, meta,
            revision, created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'service'
                AND changes.key = services.namespace || '/' || services.name
                AND (changes.revision > services.revision
                    OR changes.revision = services.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.services
        """

    /// The statement that stores a service, new or changed; a forged row of its key is replaced.
    package static func put(_ row: Stored<Service>, guardedBy rowGuard: RowGuard) -> SQL {
        let service = row.value
        return """
            INSERT INTO turnpike.services (
                namespace, name, protocol, leaf_ttl_seconds, health_check, description, meta,
                revision, created_at, updated_at, created_by, mac
            ) VALUES (
                \(service.name.namespace.text), \(service.name.name.text),
                \(service.applicationProtocol.rawValue), \(service.leafLifetime.components.seconds),
                \(service.healthCheck.documentUnlessStandard?.jsonText),
                \(service.description), \(Document.map(service.meta).jsonText), \(row.revision),
                \(row.createdAt), \(row.updatedAt), \(row.createdBy),
                \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (namespace, name) DO UPDATE SET protocol = excluded.protocol,
                leaf_ttl_seconds = excluded.leaf_ttl_seconds,
                health_check = excluded.health_check, description = excluded.description, meta = excluded.meta,
                revision = excluded.revision, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
    }

    /// The statement that removes a service.
    package static func delete(_ name: ServiceName) -> SQL {
        """
        DELETE FROM turnpike.services
        WHERE namespace = \(name.namespace.text) AND name = \(name.name.text)
        """
    }

    /// Those of these services that exist.
    package static func find(
        _ names: [ServiceName],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Service>] {
        guard !names.isEmpty else { return [] }
        return try await transaction.query(
            """
            \(fragment: select) WHERE (namespace, name) IN (
                SELECT * FROM unnest(\(names.map(\.namespace.text)), \(names.map(\.name.text)))
            )
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of the names, of one namespace or of all.
    package static func list(
        namespace: NamespaceName? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Service>> {
        let bounds = PageBounds(after: after, limit: limit)
        let filter: SQL = namespace.map { "AND namespace = \($0.text)" } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: select)
            WHERE (\(bounds.isFirst) OR (namespace, name) > (\(bounds[0]), \(bounds[1])))
            \(fragment: filter) ORDER BY namespace, name LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    private static let keyColumns = ["namespace", "name"]

    private static func content(of row: Stored<Service>) -> RowContent {
        let service = row.value
        var content = RowContent(table: "services", key: service.name.description)
        content.add("protocol", service.applicationProtocol.rawValue)
        content.add("leaf_ttl_seconds", service.leafLifetime.components.seconds)
        content.add("description", service.description)
        content.add("meta", Document.map(service.meta))
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<Service>? {
        try rowGuard.admit(row, of: "services", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            let word: String = try row.decode("protocol")
            guard let applicationProtocol = Service.ApplicationProtocol(rawValue: word) else {
                throw .undecodable(column: "protocol", type: .text, .unknownValue)
            }
            return Service(
                name: try row.serviceName(),
                applicationProtocol: applicationProtocol,
                leafLifetime: .seconds(try row.decode("leaf_ttl_seconds", as: Int64.self)),
                healthCheck: try row.healthCheck(),
                description: try row.decode("description"),
                meta: try row.texts("meta")
            )
        }
    }
}
