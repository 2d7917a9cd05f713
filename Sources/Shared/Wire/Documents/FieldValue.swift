/// One value of a document with its path, to be read as the type that the field declares.
///
/// JSON types are taken as they are; for an unquoted YAML scalar the method that is called decides.
package struct FieldValue: Sendable {
    /// The most bytes of a text unless told otherwise.
    package static let textBytesMax = 65_536
    /// The most elements of a list or map unless told otherwise.
    package static let elementsMax = 10_000

    package let document: Document
    /// Where the map or list that holds it stands, and which of its values it is.
    private let base: FieldPath
    private let step: FieldPath.Step?
    /// What readers below this value do with fields that nobody asked for.
    package let unknownFields: FieldReader.UnknownFields

    package init(
        _ document: Document,
        path: String = "",
        unknownFields: FieldReader.UnknownFields = .refused
    ) {
        self.init(document, nil, of: .named(path), unknownFields: unknownFields)
    }

    init(
        _ document: Document,
        _ step: FieldPath.Step?,
        of base: FieldPath,
        unknownFields: FieldReader.UnknownFields
    ) {
        self.document = document
        self.base = base
        self.step = step
        self.unknownFields = unknownFields
    }

    /// Where it stands, for the values in it: made once for all of them.
    var place: FieldPath { step.map { .value($0, of: base) } ?? base }

    /// The field from the top of the document, such as `sources[2].name`.
    package var path: String { place.text }

    /// An error about this value, for rules of the caller; neither text may hold the value itself.
    package func error(_ problem: String, hint: String) -> FieldError {
        FieldError(path: path, position: document.position, problem: problem, hint: hint)
    }

    /// A text without NUL whose length in UTF-8 bytes lies within `bytes`.
    package func string(
        bytes: ClosedRange<Int> = 0...textBytesMax
    ) throws(FieldError) -> String {
        guard let text = document.text else { throw wrongType("a string") }
        guard bytes.contains(text.utf8.count) else {
            throw error(
                text.isEmpty ? "the text is empty" : "the text has the wrong length",
                hint: "between \(bytes.lowerBound) and \(bytes.upperBound) bytes are allowed"
            )
        }
        guard !Self.holdsNUL(text) else {
            throw error("the text holds a NUL character", hint: "remove it")
        }
        return text
    }

    private static func holdsNUL(_ text: String) -> Bool {
        let span = text.utf8Span.span
        for index in span.indices where span[index] == 0 { return true }
        return false
    }

    /// A truth value; `yes`, `on` or a quoted "true" is refused.
    package func bool() throws(FieldError) -> Bool {
        guard let bool = document.bool else {
            throw wrongType("a truth value", hint: "write true or false, without quotes")
        }
        return bool
    }

    /// A whole number within `range`, written without fraction or exponent.
    package func int(in range: ClosedRange<Int>) throws(FieldError) -> Int {
        // Put together only for a complaint.
        var hint: String {
            "write a whole number from \(range.lowerBound) to \(range.upperBound), without quotes"
        }
        switch document.node {
        case .number, .plain: break
        case .null, .bool, .string, .list, .map: throw wrongType("a whole number", hint: hint)
        }
        guard let value = document.integer.flatMap({ Int(exactly: $0) }) else {
            throw error("this is not a whole number", hint: hint)
        }
        guard range.contains(value) else { throw error("the number is out of range", hint: hint) }
        return value
    }

    /// A duration such as `15m` within `range`.
    package func duration(
        in range: ClosedRange<Duration> = .zero ... .seconds(292 * 365 * 86_400)
    ) throws(FieldError) -> Duration {
        let value = try parsed(as: "a duration such as 15m") { text throws(WireError) in
            try DurationText.parse(text)
        }
        guard range.contains(value) else {
            let low = DurationText.format(range.lowerBound)
            let high = DurationText.format(range.upperBound)
            throw error("the duration is out of range", hint: "\(low) to \(high) is allowed")
        }
        return value
    }

    /// A size such as `64KiB` within `range`.
    package func byteCount(
        in range: ClosedRange<ByteCount> = ByteCount(bytes: 0)...ByteCount(bytes: .max)
    ) throws(FieldError) -> ByteCount {
        let value = try parsed(as: "a size such as 64KiB") { text throws(WireError) in
            try ByteCount(parsing: text)
        }
        guard range.contains(value) else {
            throw error(
                "the size is out of range",
                hint: "\(range.lowerBound) to \(range.upperBound) is allowed"
            )
        }
        return value
    }

    /// A time in RFC 3339.
    package func timestamp() throws(FieldError) -> Timestamp {
        try parsed(as: "a time such as 2026-01-31T12:00:00Z") { text throws(WireError) in
            try Timestamp(rfc3339: text)
        }
    }

    /// One of the texts of `allowed`.
    package func choice(of allowed: [String]) throws(FieldError) -> String {
        // Strings that are canonically equivalent compare equal: only the bytes we know go on.
        if let text = document.text, let known = allowed.first(where: { $0 == text }) {
            return known
        }
        let hint = "one of \(allowed.joined(separator: ", ")) is allowed"
        if document.text == nil { throw wrongType("a string", hint: hint) }
        throw error("this value is not one of the allowed", hint: hint)
    }

    /// One of the cases of an enum, by its text.
    package func choice<T>(as type: T.Type) throws(FieldError) -> T
    where T: RawRepresentable<String> & CaseIterable {
        if let text = document.text, let value = T(rawValue: text) { return value }
        // The texts of all cases are put together only for a complaint.
        _ = try choice(of: type.allCases.map { $0.rawValue })
        throw wrongType("a string")
    }

    /// A text that `parse` reads; its error becomes the problem, so it must not hold the text.
    package func parsed<T, E: Error>(
        as expected: String,
        _ parse: (String) throws(E) -> T
    ) throws(FieldError) -> T {
        let text = try string()
        do {
            return try parse(text)
        } catch {
            throw self.error("\(error)", hint: "write \(expected)")
        }
    }

    /// The elements of a list, at most `limit`.
    package func list(limit: Int = elementsMax) throws(FieldError) -> [FieldValue] {
        guard let items = document.items else { throw wrongType("a list") }
        guard items.count <= limit else {
            throw error("the list is too long", hint: "at most \(limit) elements are allowed")
        }
        let place = place
        return items.enumerated().map { index, item in
            FieldValue(item, .element(index), of: place, unknownFields: unknownFields)
        }
    }

    /// A list of texts, at most `limit`.
    package func strings(limit: Int = elementsMax) throws(FieldError) -> [String] {
        var strings: [String] = []
        for element in try list(limit: limit) { strings.append(try element.string()) }
        return strings
    }

    /// The entries of a map with free keys, at most `limit`, in the order of the text.
    package func entries(
        limit: Int = elementsMax
    ) throws(FieldError) -> [(key: String, value: FieldValue)] {
        guard let entries = document.entries else { throw wrongType("a map") }
        guard entries.count <= limit else {
            throw error("the map is too large", hint: "at most \(limit) keys are allowed")
        }
        let place = place
        return entries.map { entry in
            let value = FieldValue(
                entry.value,
                .field(entry.key),
                of: place,
                unknownFields: unknownFields
            )
            return (entry.key, value)
        }
    }

    /// A map from texts to texts, at most `limit` keys.
    package func stringMap(limit: Int = elementsMax) throws(FieldError) -> [String: String] {
        var strings: [String: String] = [:]
        for (key, value) in try entries(limit: limit) { strings[key] = try value.string() }
        return strings
    }

    /// A map with known fields; `body` reads them, then every other field is refused.
    package func map<T>(
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(FieldError) -> T {
        var reader = try FieldReader(self)
        let result = try body(&reader)
        try reader.finish()
        return result
    }

    private func wrongType(_ expected: String, hint: String? = nil) -> FieldError {
        error(
            "\(expected) is expected, this is \(document.kind)",
            hint: hint ?? "write \(expected)"
        )
    }
}

/// Where a value stands in its document; put into words only for a complaint.
indirect enum FieldPath: Sendable {
    /// From a map or list to one of its values.
    enum Step: Sendable {
        case field(String)
        case element(Int)
    }

    case named(String)
    case value(Step, of: FieldPath)

    /// Such as `sources[2].name`.
    var text: String {
        switch self {
        case .named(let text): text
        case .value(.field(let name), let parent): FieldReader.path(parent.text, name)
        case .value(.element(let index), let parent): "\(parent.text)[\(index)]"
        }
    }
}
