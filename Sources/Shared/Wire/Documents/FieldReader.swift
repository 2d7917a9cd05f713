/// Reads the fields of one map by name and type, and refuses by name those that nobody asked for.
///
/// A field that is null or, in YAML, has no value counts as absent.
package struct FieldReader: Sendable {
    /// What happens to fields that nobody asked for.
    package enum UnknownFields: Sendable {
        case refused
        /// For the surfaces whose original tolerates them, and for answers of newer servers.
        case tolerated
    }

    private static let namesShownMax = 12
    private static let keyCharactersShownMax = 64

    /// The map itself.
    package let value: FieldValue
    private let entries: [Document.Entry]
    private let place: FieldPath
    private var known: [String] = []

    /// Starts reading a map.
    package init(_ value: FieldValue) throws(FieldError) {
        guard let entries = value.document.entries else {
            throw value.error(
                "a map is expected, this is \(value.document.kind)",
                hint: "write the fields as key: value"
            )
        }
        self.value = value
        self.entries = entries
        place = value.place
        known.reserveCapacity(entries.count)
    }

    /// Reads a whole document with known fields.
    package static func read<T>(
        _ document: Document,
        unknownFields: UnknownFields = .refused,
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(FieldError) -> T {
        try FieldValue(document, unknownFields: unknownFields).map(body)
    }

    /// The value of a field, or nil when it is absent or null.
    package mutating func optional(_ name: String) -> FieldValue? {
        known.append(name)
        // Without a copy of every entry on the way.
        for index in entries.indices where entries[index].key == name {
            guard !entries[index].value.isNull else { return nil }
            return FieldValue(
                entries[index].value,
                .field(entries[index].key),
                of: place,
                unknownFields: value.unknownFields
            )
        }
        return nil
    }

    /// The value of a field that must be there.
    package mutating func required(_ name: String) throws(FieldError) -> FieldValue {
        guard let field = optional(name) else {
            let entry = entries.first { $0.key == name }
            throw FieldError(
                path: Self.path(value.path, name),
                position: entry?.keyPosition ?? value.document.position,
                problem: entry == nil ? "the field is missing" : "the field has no value",
                hint: nearest(to: name, among: entries.map(\.key)).map {
                    "did you write \(Self.shown($0)) instead?"
                } ?? "add \(name) with a value"
            )
        }
        return field
    }

    /// Whether the field is present in any form, null included; does not count as asking for it.
    package func contains(_ name: String) -> Bool {
        entries.contains { $0.key == name }
    }

    /// Refuses fields that nobody asked for, unless they are tolerated.
    package func finish() throws(FieldError) {
        guard value.unknownFields == .refused else { return }
        guard let unknown = entries.first(where: { !known.contains($0.key) }) else { return }
        let names = Array(Set(known)).sorted().prefix(Self.namesShownMax)
        throw FieldError(
            path: Self.path(value.path, unknown.key),
            position: unknown.keyPosition,
            problem: "this field does not exist here",
            hint: nearest(to: unknown.key, among: known).map { "did you mean \($0)?" }
                ?? "the fields are \(names.joined(separator: ", "))"
        )
    }

    /// The path of a field below `parent`; keys that are not plain words are quoted and cut.
    static func path(_ parent: String, _ key: String) -> String {
        let isWord =
            !key.isEmpty && key.utf8.count <= keyCharactersShownMax
            && key.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
                default: false
                }
            }
        guard isWord else { return "\(parent)[\(shown(key))]" }
        return parent.isEmpty ? key : "\(parent).\(key)"
    }

    /// The key in quotes, cut, and with everything that could disturb a terminal replaced.
    private static func shown(_ key: String) -> String {
        var text = "\""
        for scalar in key.unicodeScalars.prefix(keyCharactersShownMax) {
            text.unicodeScalars.append(Text.isPrintable(scalar) && scalar != "\"" ? scalar : "?")
        }
        return text + "\""
    }

    private func nearest(to name: String, among candidates: [String]) -> String? {
        let allowed = name.utf8.count < 4 ? 1 : 2
        guard name.utf8.count <= Self.keyCharactersShownMax else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates.prefix(64)
        where candidate != name && candidate.utf8.count <= Self.keyCharactersShownMax {
            let distance = editDistance(Array(name.utf8), Array(candidate.utf8))
            if distance <= allowed, distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (leftIndex, leftByte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = leftIndex + 1
            for (rightIndex, rightByte) in right.enumerated() {
                let substitution = diagonal + (leftByte == rightByte ? 0 : 1)
                diagonal = row[rightIndex + 1]
                row[rightIndex + 1] = min(substitution, diagonal + 1, row[rightIndex] + 1)
            }
        }
        return row[right.count]
    }
}
