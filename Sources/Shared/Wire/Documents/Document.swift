/// A place in a text; both numbers count from 1, columns in bytes, and 0 means "made by code".
package struct SourcePosition: Hashable, Sendable, CustomStringConvertible {
    /// The position of what was not read from a text.
    package static let none = SourcePosition(line: 0, column: 0)

    package let line: Int32
    package let column: Int32

    /// From numbers that count from 1; larger than 32 bits becomes the largest.
    package init(line: Int, column: Int) {
        self.line = Int32(clamping: line)
        self.column = Int32(clamping: column)
    }

    /// `line:column`.
    package var description: String { "\(line):\(column)" }
}

/// A tree of values as JSON and the YAML subset know them, with the place each was read from.
///
/// Equality ignores positions and the order of map entries.
package struct Document: Sendable {
    /// What a node holds.
    package enum Node: Sendable {
        case null
        case bool(Bool)
        case number(JSONNumber)
        case string(String)
        /// An unquoted YAML scalar: the field that reads it decides the type.
        case plain(String)
        case list([Document])
        /// Entries in the order of the text; the parsers guarantee different keys.
        case map([Entry])
    }

    /// One key of a map with its value.
    package struct Entry: Sendable {
        package let key: String
        package let keyPosition: SourcePosition
        package var value: Document

        package init(key: String, keyPosition: SourcePosition = .none, value: Document) {
            self.key = key
            self.keyPosition = keyPosition
            self.value = value
        }
    }

    package var node: Node
    package var position: SourcePosition

    package init(_ node: Node, at position: SourcePosition = .none) {
        self.node = node
        self.position = position
    }
}

extension Document {
    /// The value of a key, or nil when this is not a map or has no such key.
    package subscript(key: String) -> Document? {
        entries?.first { $0.key == key }?.value
    }

    /// The element at an index, or nil when this is not a list or is shorter.
    package subscript(index: Int) -> Document? {
        guard let items, items.indices.contains(index) else { return nil }
        return items[index]
    }

    /// The entries when this is a map.
    package var entries: [Entry]? {
        if case .map(let entries) = node { entries } else { nil }
    }

    /// The elements when this is a list.
    package var items: [Document]? {
        if case .list(let items) = node { items } else { nil }
    }

    /// The text when this is a string or an unquoted scalar.
    package var text: String? {
        switch node {
        case .string(let text), .plain(let text): text
        case .null, .bool, .number, .list, .map: nil
        }
    }

    /// The number when this is an integer of 64 bits.
    package var integer: Int64? {
        switch node {
        case .number(let number): number.integer
        case .plain(let text): JSONNumber(text: text)?.integer
        case .null, .bool, .string, .list, .map: nil
        }
    }

    /// The truth value when this is one.
    package var bool: Bool? {
        switch node {
        case .bool(let bool): bool
        case .plain("true"): true
        case .plain("false"): false
        case .null, .number, .string, .plain, .list, .map: nil
        }
    }

    /// Whether this is null.
    package var isNull: Bool {
        if case .null = node { true } else { false }
    }

    /// What the node is, in words for people.
    var kind: String {
        switch node {
        case .null: "null"
        case .bool: "a truth value"
        case .number: "a number"
        case .string: "a string"
        case .plain: "a plain scalar"
        case .list: "a list"
        case .map: "a map"
        }
    }
}

extension Document: Equatable {
    /// Compares values; positions and the order of map entries do not count.
    package static func == (left: Document, right: Document) -> Bool {
        switch (left.node, right.node) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.plain(let left), .plain(let right)): left == right
        case (.list(let left), .list(let right)): left == right
        case (.map(let left), .map(let right)): equal(left, right)
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.plain, _), (.list, _),
            (.map, _):
            false
        }
    }

    private static func equal(_ left: [Entry], _ right: [Entry]) -> Bool {
        guard left.count == right.count else { return false }
        let isSameOrder = zip(left, right).allSatisfy { $0.key == $1.key }
        let left = isSameOrder ? left : JSONWriter.sorted(left)
        let right = isSameOrder ? right : JSONWriter.sorted(right)
        return zip(left, right).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }
}
