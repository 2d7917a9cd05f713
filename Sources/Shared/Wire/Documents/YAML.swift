/// The strict YAML subset of files that people write.
///
/// Block maps and lists, quoted and plain scalars, comments and `---`; any valid JSON value is
/// accepted where a value may stand. Anchors, aliases, tags, block scalars, multi-line scalars,
/// tabs and duplicate keys are refused. The look of a plain scalar never decides its type.
package enum YAML {
    /// Reads all documents of a text; empty ones are left out.
    ///
    /// `source` names the text in errors, usually the file's name.
    package static func parse(
        _ bytes: [UInt8],
        source: String = "YAML",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> [Document] {
        var parser = try YAMLParser(bytes: bytes, source: source, limits: limits)
        return try parser.documents()
    }

    /// Reads all documents of a text; empty ones are left out.
    package static func parse(
        _ text: String,
        source: String = "YAML",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> [Document] {
        try parse(Array(text.utf8), source: source, limits: limits)
    }

    /// Reads a text that must hold exactly one document.
    package static func parseSingle(
        _ bytes: [UInt8],
        source: String = "YAML",
        limits: DocumentLimits = .file
    ) throws(DocumentError) -> Document {
        let documents = try parse(bytes, source: source, limits: limits)
        guard let document = documents.first, documents.count == 1 else {
            throw DocumentError(
                source: source,
                position: documents.dropFirst().first?.position
                    ?? SourcePosition(line: 1, column: 1),
                problem: documents.isEmpty
                    ? "the file is empty" : "the file holds several documents",
                hint: "exactly one document belongs here"
            )
        }
        return document
    }

    /// One document for people, in quotes wherever a scalar could be misread.
    ///
    /// `parse` reads it back; a string that is safe without quotes comes back as a plain scalar.
    package static func write(_ document: Document) -> [UInt8] {
        var writer = YAMLWriter()
        writer.writeDocument(document)
        return writer.bytes
    }

    /// Several documents with `---` between them.
    package static func write(_ documents: [Document]) -> [UInt8] {
        var writer = YAMLWriter()
        for (index, document) in documents.enumerated() {
            if index > 0 { writer.bytes.append(contentsOf: "---\n".utf8) }
            writer.writeDocument(document)
        }
        return writer.bytes
    }
}
