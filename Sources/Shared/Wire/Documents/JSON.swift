/// JSON texts (RFC 8259), strict: UTF-8 without byte order mark, no duplicate keys.
package enum JSON {
    /// Reads one value and nothing after it but white space.
    ///
    /// `source` names the text in errors: a file name, or for example `request body`. Keys that differ
    /// only in escapes or in canonical Unicode equivalence are duplicates and refused.
    package static func parse(
        _ bytes: [UInt8],
        source: String = "JSON",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> Document {
        var parser = try JSONParser(bytes: bytes, source: source, limits: limits)
        return try parser.document()
    }

    /// Reads one value and nothing after it but white space.
    package static func parse(
        _ text: String,
        source: String = "JSON",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> Document {
        try parse(Array(text.utf8), source: source, limits: limits)
    }

    /// Reads a text that must be the canonical one of its value; nil for any other spelling.
    package static func parse(
        canonical bytes: [UInt8],
        source: String = "JSON",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> Document? {
        var parser = try JSONParser(bytes: bytes, source: source, limits: limits)
        let document = try parser.document()
        // All else has one spelling; whether an escape was needed, writing it again tells. A bare
        // `nil` in an expression of documents would be the document null.
        guard parser.isCompactAndSorted, !parser.hasEscapes || canonical(document) == bytes
        else { return Document?.none }
        return document
    }

    /// The one text of a document: keys sorted by their bytes, no spaces, only the needed escapes.
    ///
    /// Numbers keep their text; unquoted YAML scalars are written as strings.
    package static func canonical(_ document: Document) -> [UInt8] {
        var writer = JSONWriter(order: .sorted, layout: .compact)
        writer.write(document)
        return writer.bytes
    }

    /// Without spaces, with the keys in the order they have.
    package static func compact(_ document: Document) -> [UInt8] {
        var writer = JSONWriter(order: .given, layout: .compact)
        writer.write(document)
        return writer.bytes
    }

    /// For people: indented by two spaces, keys in the order they have, a line feed at the end.
    package static func pretty(_ document: Document) -> [UInt8] {
        var writer = JSONWriter(order: .given, layout: .indented)
        writer.write(document)
        writer.bytes.append(0x0A)
        return writer.bytes
    }
}
