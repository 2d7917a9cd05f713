import Mesh
import Postgres
import Wire

extension Row {
    /// The columns that every row of the catalog has, around its value.
    func stored<Value: Equatable & Sendable>(
        _ value: Value
    ) throws(PostgresError) -> Stored<Value> {
        Stored(
            value,
            revision: try decode("revision"),
            createdAt: try decode("created_at"),
            updatedAt: try decode("updated_at"),
            createdBy: try decode("created_by")
        )
    }

    /// A text column as a value of the vocabulary; the table's checks admit nothing else.
    func parsed<Value, Failure: Error>(
        _ column: String,
        _ make: (String) throws(Failure) -> Value
    ) throws(PostgresError) -> Value {
        let text: String = try decode(column)
        do {
            return try make(text)
        } catch {
            throw .undecodable(column: column, type: .text, .unknownValue)
        }
    }

    func label<Name: LabelName>(
        _ column: String,
        as type: Name.Type = Name.self
    ) throws(PostgresError) -> Name {
        try parsed(column) { text throws(NameError) in try Name(text) }
    }

    func serviceName(
        _ namespace: String = "namespace",
        _ name: String = "name"
    ) throws(PostgresError) -> ServiceName {
        ServiceName(namespace: try label(namespace), name: try label(name))
    }

    func port(_ column: String = "port") throws(PostgresError) -> UInt16 {
        UInt16(clamping: try decode(column, as: Int.self))
    }

    /// How instances are probed.
    ///
    /// No MAC covers the column, for it grants nothing: what cannot be read is the usual check.
    func healthCheck() throws(PostgresError) -> HealthCheck {
        guard let text: JSONText = try decodeIfPresent("health_check"),
            let document = try? JSON.parse(text.text, source: "health_check"),
            let check = try? FieldValue(document).map(HealthCheck.init(from:)),
            (try? check.validate()) != nil
        else { return .standard }
        return check
    }

    /// How an upstream's connections are shared out; covered by no MAC either.
    func upstreamTraffic() throws(PostgresError) -> UpstreamTraffic {
        let traffic = UpstreamTraffic(
            balance: UpstreamTraffic.Balance(rawValue: try decode("balance")) ?? .leastRequest,
            connectionsMax: try decodeIfPresent("connections_max"),
            pendingMax: try decodeIfPresent("pending_max")
        )
        return (try? traffic.validate()) == nil ? .standard : traffic
    }

    /// A `jsonb` column with an object of texts.
    func texts(_ column: String) throws(PostgresError) -> [String: String] {
        let text: JSONText = try decode(column)
        guard let document = try? JSON.parse(text.text, source: column),
            let texts = try? FieldValue(document).stringMap()
        else { throw .undecodable(column: column, type: .jsonb, .unknownValue) }
        return texts
    }
}

extension Document {
    /// The document as a `jsonb` parameter.
    var jsonText: JSONText {
        JSONText(String(decoding: JSON.canonical(self), as: UTF8.self))
    }
}

/// Where a page of a list begins and how long it is.
struct PageBounds {
    /// The parts of the last key of the page before; texts beyond its end are empty.
    private let parts: [String]
    let isFirst: Bool
    let limit: Int

    init(after: String?, limit: Int) {
        parts = (after ?? "").split(separator: "/", omittingEmptySubsequences: false)
            .map(String.init)
        isFirst = after == nil
        self.limit = max(1, min(limit, Page<Never?>.limitMax))
    }

    subscript(index: Int) -> String { parts.indices.contains(index) ? parts[index] : "" }

    /// A part that is a number; what is none begins at the first.
    func number(_ index: Int) -> Int { Int(self[index]) ?? 0 }

    /// One row more than the page tells whether another page follows.
    var rowLimit: Int { limit + 1 }

    /// The page of a table whose rows are named by service, agent and perhaps a name of their own.
    ///
    /// In that order, perhaps of one service, of one agent, or both.
    func statement(
        _ select: SQL,
        isNamed: Bool = false,
        service: ServiceName?,
        agent: AgentName?
    ) -> SQL {
        let columns: SQL =
            isNamed ? "namespace, service, agent, name" : "namespace, service, agent"
        let name: SQL = isNamed ? ", \(self[3])" : ""
        let ofService: SQL =
            service.map {
                "AND namespace = \($0.namespace.text) AND service = \($0.name.text)"
            } ?? ""
        let ofAgent: SQL = agent.map { "AND agent = \($0.text)" } ?? ""
        return """
            \(fragment: select)
            WHERE (\(isFirst) OR (\(fragment: columns))
                > (\(self[0]), \(self[1]), \(self[2])\(fragment: name)))
            \(fragment: ofService) \(fragment: ofAgent)
            ORDER BY \(fragment: columns) LIMIT \(rowLimit)
            """
    }

    /// Cuts what was read into the page; `read` gives nil for a row that counts as absent.
    func page<Item: Equatable & Sendable>(
        _ rows: Rows,
        key: (Row) throws(PostgresError) -> String,
        _ read: (Row) throws(PostgresError) -> Item?
    ) throws(PostgresError) -> Page<Item> {
        var items: [Item] = []
        for row in rows.prefix(limit) {
            if let item = try read(row) { items.append(item) }
        }
        guard rows.count > limit, limit > 0 else { return Page(items: items, next: nil) }
        return Page(items: items, next: try key(rows[limit - 1]))
    }
}

extension Rows {
    /// Reads every row; nil is a row that counts as absent.
    func items<Item>(
        _ read: (Row) throws(PostgresError) -> Item?
    ) throws(PostgresError) -> [Item] {
        var items: [Item] = []
        items.reserveCapacity(count)
        for row in self {
            if let item = try read(row) { items.append(item) }
        }
        return items
    }
}
