package import Mesh
package import Postgres
import Wire

/// Who may reach whom; forged rows are absent from every answer.
package enum IntentionRepository {
    private static let select: SQL = """
        SELECT id, destination_namespace, destination_name, source_namespace, source_name, action,
            permissions, description, meta, owner, reason, not_before, not_after, revision,
            created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'intention'
                AND changes.key = intentions.destination_namespace || '/'
                    || intentions.destination_name || '/' || intentions.source_namespace || '/'
                    || intentions.source_name
                AND (changes.revision > intentions.revision
                    OR changes.revision = intentions.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.intentions
        """

    /// The destination and the source, which name a rule.
    package struct Key: Hashable, Sendable {
        package let destination: ServicePattern
        package let source: ServicePattern

        package init(destination: ServicePattern, source: ServicePattern) {
            self.destination = destination
            self.source = source
        }
    }

    /// The statement that stores a rule under its id, new or changed; a forged row of its key is
    /// replaced.
    ///
    /// The id must be an assigned one and times must be whole microseconds, which is what the
    /// database keeps.
    package static func put(_ row: Stored<Intention>, guardedBy rowGuard: RowGuard) -> SQL {
        let rule = row.value
        let id = try? UUIDv7(parsing: rule.id.text)
        precondition(id != nil, "a rule is stored under an id that the server assigned")
        var action: String?
        if case .action(let verdict) = rule.effect { action = verdict.rawValue }
        return """
            INSERT INTO turnpike.intentions (
                id, destination_namespace, destination_name, source_namespace, source_name,
                precedence, action, permissions, description, meta, owner, reason, not_before,
                not_after, revision, created_at, updated_at, created_by, mac
            ) VALUES (
                \(id), \(rule.destination.namespaceText), \(rule.destination.nameText),
                \(rule.source.namespaceText), \(rule.source.nameText), \(Int16(rule.precedence)),
                \(action), \(permissions(of: rule)?.jsonText), \(rule.description),
                \(Document.map(rule.meta).jsonText), \(rule.owner), \(rule.reason),
                \(rule.notBefore), \(rule.notAfter), \(row.revision), \(row.createdAt),
                \(row.updatedAt), \(row.createdBy), \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (destination_namespace, destination_name, source_namespace, source_name)
            DO UPDATE SET id = excluded.id, precedence = excluded.precedence,
                action = excluded.action, permissions = excluded.permissions,
                description = excluded.description, meta = excluded.meta,
                owner = excluded.owner, reason = excluded.reason,
                not_before = excluded.not_before, not_after = excluded.not_after,
                revision = excluded.revision, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
    }

    /// The statement that removes a rule.
    package static func delete(_ key: Key) -> SQL {
        """
        DELETE FROM turnpike.intentions
        WHERE destination_namespace = \(key.destination.namespaceText)
        AND destination_name = \(key.destination.nameText)
        AND source_namespace = \(key.source.namespaceText)
        AND source_name = \(key.source.nameText)
        """
    }

    /// Those of these rules that exist.
    package static func find(
        _ keys: [Key],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Intention>] {
        guard let first = keys.first else { return [] }
        // The most frequent read of the API; a join with a list of one costs more than the row.
        if keys.count == 1 {
            return try await transaction.query(
                """
                \(fragment: select)
                WHERE destination_namespace = \(first.destination.namespaceText)
                    AND destination_name = \(first.destination.nameText)
                    AND source_namespace = \(first.source.namespaceText)
                    AND source_name = \(first.source.nameText)
                """
            ).items { row throws(PostgresError) in try read(row, rowGuard) }
        }
        return try await transaction.query(
            """
            \(fragment: select)
            WHERE (destination_namespace, destination_name, source_namespace, source_name) IN (
                SELECT * FROM unnest(
                    \(keys.map(\.destination.namespaceText)), \(keys.map(\.destination.nameText)),
                    \(keys.map(\.source.namespaceText)), \(keys.map(\.source.nameText))
                )
            )
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// Every rule that speaks of a service as destination, at most `limit`.
    package static func find(
        about service: ServiceName,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Stored<Intention>] {
        let namespace = service.namespace.text
        return try await transaction.query(
            """
            \(fragment: select)
            WHERE (destination_namespace, destination_name) IN (
                (\(namespace), \(service.name.text)), (\(namespace), '*'), ('*', '*')
            )
            ORDER BY precedence DESC, id LIMIT \(limit)
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of destination and source, perhaps of one destination or source, each
    /// compared as it is written.
    package static func list(
        destination: ServicePattern? = nil,
        source: ServicePattern? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Intention>> {
        let bounds = PageBounds(after: after, limit: limit)
        let ofDestination: SQL =
            destination.map {
                """
                AND destination_namespace = \($0.namespaceText)
                AND destination_name = \($0.nameText)
                """
            } ?? ""
        let ofSource: SQL =
            source.map {
                "AND source_namespace = \($0.namespaceText) AND source_name = \($0.nameText)"
            } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: select)
            WHERE (\(bounds.isFirst) OR (
                destination_namespace, destination_name, source_namespace, source_name
            ) > (\(bounds[0]), \(bounds[1]), \(bounds[2]), \(bounds[3])))
            \(fragment: ofDestination) \(fragment: ofSource)
            ORDER BY destination_namespace, destination_name, source_namespace, source_name
            LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    private static func permissions(of rule: Intention) -> Document? {
        guard case .permissions(let permissions) = rule.effect else { return nil }
        return .list(permissions.map(\.document))
    }

    private static func content(of row: Stored<Intention>) -> RowContent {
        let rule = row.value
        var content = RowContent(
            table: "intentions",
            key: ResourceKey.intention(destination: rule.destination, source: rule.source).text
        )
        content.add("id", rule.id.text)
        if case .action(let verdict) = rule.effect {
            content.add("action", verdict.rawValue)
        } else {
            content.add("permissions", permissions(of: rule))
        }
        content.add("description", rule.description)
        content.add("meta", Document.map(rule.meta))
        content.add("owner", rule.owner)
        content.add("reason", rule.reason)
        content.add("not_before", rule.notBefore)
        content.add("not_after", rule.notAfter)
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func patterns(
        _ row: Row
    ) throws(PostgresError) -> (destination: ServicePattern, source: ServicePattern) {
        (
            try pattern(row, "destination_namespace", "destination_name"),
            try pattern(row, "source_namespace", "source_name")
        )
    }

    private static func pattern(
        _ row: Row,
        _ namespace: String,
        _ name: String
    ) throws(PostgresError) -> ServicePattern {
        let namespaceText: String = try row.decode(namespace)
        return try row.parsed(name) { text throws(NameError) in
            try ServicePattern(namespace: namespaceText, name: text)
        }
    }

    private static let keyColumns = [
        "destination_namespace", "destination_name", "source_namespace", "source_name",
    ]

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<Intention>? {
        try rowGuard.admit(row, of: "intentions", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            let (destination, source) = try patterns(row)
            return Intention(
                id: try identifier(row),
                source: source,
                destination: destination,
                effect: try effect(row),
                description: try row.decode("description"),
                meta: try row.texts("meta"),
                owner: try row.decodeIfPresent("owner"),
                reason: try row.decodeIfPresent("reason"),
                notBefore: try row.decodeIfPresent("not_before"),
                notAfter: try row.decodeIfPresent("not_after")
            )
        }
    }

    /// Refuses a UUID of a version that no server assigns.
    private static func identifier(_ row: Row) throws(PostgresError) -> RuleID {
        let id: UUIDv7 = try row.decode("id")
        do {
            return try RuleID(id.description)
        } catch {
            throw .undecodable(column: "id", type: .uuid, .unknownValue)
        }
    }

    private static func effect(_ row: Row) throws(PostgresError) -> Intention.Effect {
        if let word = try row.decodeIfPresent("action", as: String.self) {
            guard let verdict = Verdict(rawValue: word) else {
                throw .undecodable(column: "action", type: .text, .unknownValue)
            }
            return .action(verdict)
        }
        let unreadable = PostgresError.undecodable(
            column: "permissions",
            type: .jsonb,
            .unknownValue
        )
        guard let text = try row.decodeIfPresent("permissions", as: JSONText.self),
            let document = try? JSON.parse(text.text, source: "permissions"),
            let clauses = try? FieldValue(document).list(limit: IntentionLimits.permissionsMax)
        else { throw unreadable }
        var permissions: [Permission] = []
        for clause in clauses {
            guard let permission = try? Permission(reading: clause) else { throw unreadable }
            permissions.append(permission)
        }
        return .permissions(permissions)
    }
}
