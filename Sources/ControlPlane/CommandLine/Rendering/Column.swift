import Wire

/// One column of a list: its title and where its text comes from.
struct Column: Sendable {
    let title: String
    let text: @Sendable (Document) -> String

    init(_ title: String, _ text: @escaping @Sendable (Document) -> String) {
        self.title = title
        self.text = text
    }

    /// A field as it is.
    init(_ title: String, _ field: String) {
        self.init(title) { $0.shown(field) }
    }
}

extension Document {
    /// What stands for nothing.
    static let absentMark = "-"

    /// A field as text for people.
    func shown(_ field: String) -> String {
        self[field]?.shown ?? Document.absentMark
    }

    /// The value as text for people, on one line.
    var shown: String {
        switch node {
        case .null: Document.absentMark
        case .bool(let bool): bool ? "yes" : "no"
        case .string(let text), .plain(let text): text.isEmpty ? Document.absentMark : text
        case .list(let items):
            items.isEmpty ? Document.absentMark : items.map(\.shown).joined(separator: ", ")
        case .number, .map: String(decoding: JSON.compact(self), as: UTF8.self)
        }
    }

    /// The elements of a field that is a list; none otherwise.
    func list(_ field: String) -> [Document] { self[field]?.items ?? [] }
}

extension [Document] {
    /// A table with one row for each.
    func table(_ columns: [Column]) -> Table {
        var table = Table(columns.map(\.title))
        for item in self { table.add(columns.map { $0.text(item) }) }
        return table
    }
}
