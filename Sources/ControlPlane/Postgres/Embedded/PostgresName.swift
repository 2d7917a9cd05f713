/// The name of a role or database that needs no quoting.
package struct PostgresName: Equatable, Hashable, Sendable {
    package let text: String

    /// Nil unless lower-case letters, digits and underscores, beginning with a letter, at most 63.
    package init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            (97...122).contains(byte) || (48...57).contains(byte) || byte == 95
        }
        guard isPlain, text.utf8.count <= 63, let first = text.utf8.first,
            (97...122).contains(first)
        else { return nil }
        self.text = text
    }

    /// A name that stands in the source; an unsuitable one is a bug of ours.
    package init(literal: StaticString) {
        guard let name = PostgresName(literal.description) else {
            preconditionFailure("not a plain name")
        }
        self = name
    }
}
