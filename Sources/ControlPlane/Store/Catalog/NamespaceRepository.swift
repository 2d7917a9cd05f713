package import Mesh
package import Postgres

/// Namespaces by name.
package enum NamespaceRepository {
    private static let select: SQL = """
        SELECT name, description, revision, created_at, updated_at, created_by
        FROM turnpike.namespaces
        """

    /// The statement that stores a namespace, new or changed.
    package static func put(_ row: Stored<Namespace>) -> SQL {
        """
        INSERT INTO turnpike.namespaces (
            name, description, revision, created_at, updated_at, created_by
        ) VALUES (
            \(row.value.name.text), \(row.value.description), \(row.revision), \(row.createdAt),
            \(row.updatedAt), \(row.createdBy)
        )
        ON CONFLICT (name) DO UPDATE SET description = excluded.description,
            revision = excluded.revision, updated_at = excluded.updated_at
        """
    }

    /// The statement that removes a namespace.
    package static func delete(_ name: NamespaceName) -> SQL {
        "DELETE FROM turnpike.namespaces WHERE name = \(name.text)"
    }

    /// Those of these namespaces that exist.
    package static func find(
        _ names: [NamespaceName],
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Namespace>] {
        guard !names.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE name = ANY(\(names.map(\.text)))"
        ).items(read)
    }

    /// One page in order of the names.
    package static func list(
        after: String?,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Namespace>> {
        let bounds = PageBounds(after: after, limit: limit)
        let rows = try await transaction.query(
            """
            \(fragment: select) WHERE \(bounds.isFirst) OR name > \(bounds[0])
            ORDER BY name LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row throws(PostgresError) in try row.decode("name") },
            read
        )
    }

    private static func read(_ row: Row) throws(PostgresError) -> Stored<Namespace>? {
        try row.stored(
            Namespace(name: try row.label("name"), description: try row.decode("description"))
        )
    }
}
