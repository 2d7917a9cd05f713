package import Wire

/// A value of the catalog with what the server keeps about its row.
package struct Stored<Value: Equatable & Sendable>: Equatable, Sendable {
    package let value: Value
    /// The revision of its last change: the row's entity tag.
    package let revision: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    /// The principal that made it.
    package let createdBy: String

    package init(
        _ value: Value,
        revision: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp,
        createdBy: String
    ) {
        self.value = value
        self.revision = revision
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }

    /// The same row with another view of its value.
    package func map<Other: Equatable & Sendable>(_ transform: (Value) -> Other) -> Stored<Other> {
        Stored<Other>(
            transform(value),
            revision: revision,
            createdAt: createdAt,
            updatedAt: updatedAt,
            createdBy: createdBy
        )
    }
}

/// A part of a list in the order of its keys.
package struct Page<Item: Equatable & Sendable>: Equatable, Sendable {
    /// The most rows of one page.
    package static var limitMax: Int { 1_000 }

    package let items: [Item]
    /// Where the next page begins; nil at the end.
    ///
    /// A page may be short, or empty, before the end: rows that count as absent are left out.
    package let next: String?

    package init(items: [Item], next: String?) {
        self.items = items
        self.next = next
    }

    /// The same page with another view of its items.
    package func map<Other: Equatable & Sendable>(_ transform: (Item) -> Other) -> Page<Other> {
        Page<Other>(items: items.map(transform), next: next)
    }
}
