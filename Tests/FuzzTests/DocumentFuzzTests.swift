import Testing
import Wire

/// Seeded; whatever is accepted must be written and read back as the same document.
@Suite struct DocumentFuzzTests {
    private static let rounds = 4000

    private static let pieces = [
        "{", "}", "[", "]", ":", ",", "\"", "'", "\\", "\\u", "d83d", "\\ude00", "null", "true",
        "-", "- ", "---", "\n", "\r\n", "\n  ", "\n    ", " ", "\t", "#", " #", "a", "b: ", "key",
        "0", "1e9", "-1.5", "*", "&", "!", "|", ">", "é", "\u{FEFF}", "😀", "?", "%", "...", "\"x\"",
        "a: 1\n", "- b\n", ": ", "\u{0}",
    ].map { Array($0.utf8) }

    private func randomText(_ generator: inout SeededGenerator) -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 0...24, using: &generator) {
            text += Self.pieces.randomElement(using: &generator) ?? []
        }
        if Int.random(in: 0..<8, using: &generator) == 0, !text.isEmpty {
            text[Int.random(in: 0..<text.count, using: &generator)] =
                UInt8.random(in: 0...255, using: &generator)
        }
        return text
    }

    private func randomString(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            let scalar =
                Unicode.Scalar(UInt32.random(in: 0...0x2FF, using: &generator))
                ?? Unicode.Scalar(0x1F600)
            if let scalar { text.unicodeScalars.append(scalar) }
        }
        return text
    }

    private func randomDocument(_ generator: inout SeededGenerator, depth: Int) -> Document {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &generator) {
        case 0: return nil
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .number(Int64.random(in: .min ... .max, using: &generator))
        case 3: return .number(Double(bitPattern: generator.next()))
        case 4: return .string(randomString(&generator))
        case 5:
            return .list(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                    randomDocument(&generator, depth: depth - 1)
                }
            )
        default:
            var map: Document = [:]
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                map.set(
                    randomString(&generator),
                    randomDocument(&generator, depth: depth - 1)
                )
            }
            return map
        }
    }

    /// What YAML keeps of a document: scalars become their text, since the field decides the type.
    private func untyped(_ document: Document) -> Document {
        switch document.node {
        case .bool(let value): .string("\(value)")
        case .number(let number): .string(number.text)
        case .plain(let text): .string(text)
        case .list(let items): .list(items.map(untyped))
        case .map(let entries):
            Document(.map(entries.map { Document.Entry(key: $0.key, value: untyped($0.value)) }))
        case .null, .string: document
        }
    }

    /// Reading finds out what writing it again would: whether this is the one spelling.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func theCanonicalSpellingIsRecognised(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        var (canonical, other) = (0, 0)
        for _ in 0..<Self.rounds {
            let document = randomDocument(&generator, depth: 3)
            var text =
                Bool.random(using: &generator)
                ? JSON.canonical(document) : JSON.compact(document)
            if Int.random(in: 0..<3, using: &generator) == 0 {
                let place = Int.random(in: 0...text.count, using: &generator)
                let piece = [" ", "\n", "\\u0041", "\\n", "\\/", "\\u001f", "\\u001F", "0"]
                    .randomElement(using: &generator)
                text.insert(contentsOf: Array((piece ?? "").utf8), at: place)
            }
            guard let parsed = try? JSON.parse(text) else {
                #expect(throws: DocumentError.self) { try JSON.parse(canonical: text) }
                continue
            }
            let isCanonical = JSON.canonical(parsed) == text
            let found = try JSON.parse(canonical: text)
            #expect((found != nil) == isCanonical, "\(String(decoding: text, as: UTF8.self))")
            if isCanonical { canonical += 1 } else { other += 1 }
        }
        #expect(canonical > 100 && other > 100)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func acceptedJSONReadsBack(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<Self.rounds {
            let text = randomText(&generator)
            guard let document = try? JSON.parse(text) else { continue }
            #expect(try JSON.parse(JSON.canonical(document)) == document)
            #expect(try JSON.parse(JSON.pretty(document)) == document)
            guard document.items != nil || document.entries != nil else { continue }
            #expect(try YAML.parse(text) == [document])
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func acceptedYAMLReadsBack(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed &+ 1000)
        var accepted = 0
        for _ in 0..<Self.rounds {
            let text = randomText(&generator)
            guard let documents = try? YAML.parse(text) else { continue }
            accepted += 1
            let written = YAML.write(documents)
            let back = try YAML.parse(written)
            let expected = documents.filter { !$0.isNull }.map(untyped)
            #expect(back.map(untyped) == expected, "\(text)")
            #expect(
                YAML.write(back.filter { !$0.isNull })
                    == YAML.write(documents.filter { !$0.isNull })
            )
        }
        #expect(accepted > 0)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func builtDocumentsReadBack(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed &+ 2000)
        for _ in 0..<Self.rounds / 4 {
            let document = randomDocument(&generator, depth: 4)
            let canonical = JSON.canonical(document)
            let back = try JSON.parse(canonical)
            #expect(back == document)
            #expect(JSON.canonical(back) == canonical)
            #expect(try JSON.parse(JSON.pretty(document)) == document)
            guard !document.isNull else { continue }
            let yaml = try YAML.parseSingle(YAML.write(document))
            #expect(untyped(yaml) == untyped(document))
        }
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func damagedDocumentsNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(state: seed &+ 3000)
        var refused = 0
        for _ in 0..<Self.rounds / 4 {
            let document = randomDocument(&generator, depth: 4)
            for var text in [JSON.canonical(document), YAML.write(document)] where !text.isEmpty {
                text[Int.random(in: 0..<text.count, using: &generator)] =
                    UInt8.random(in: 0...255, using: &generator)
                if (try? JSON.parse(text)) == nil { refused += 1 }
                if (try? YAML.parse(text)) == nil { refused += 1 }
                let cut = Array(text.prefix(Int.random(in: 0...text.count, using: &generator)))
                if (try? JSON.parse(cut)) == nil { refused += 1 }
                if (try? YAML.parse(cut)) == nil { refused += 1 }
            }
        }
        #expect(refused > 0)
    }
}
