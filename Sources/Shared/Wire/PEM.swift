/// Textual encoding of keys and certificates (RFC 7468).
package enum PEM {
    /// The most bytes of text that `decode` reads unless told otherwise.
    package static let textBytesMax = 1 << 20
    /// The most characters that one line of a block may hold.
    package static let lineCharactersMax = 76
    /// The most blocks that one text may hold.
    package static let blocksMax = 1024

    private static let lineCharacters = 64
    private static let dashes = Array("-----".utf8)
    private static let begin = Array("-----BEGIN ".utf8)
    private static let end = Array("-----END ".utf8)

    /// One labelled block, for example `CERTIFICATE` and its DER bytes.
    package struct Block: Equatable, Sendable {
        package var label: String
        package var bytes: [UInt8]

        package init(label: String, bytes: [UInt8]) {
            self.label = label
            self.bytes = bytes
        }
    }

    /// Lines of 64 characters between the two boundary lines, ending in a line feed.
    package static func encode(_ block: Block) -> String {
        let body = Base64Alphabet.standard.encode(block.bytes)
        var text = Array("-----BEGIN \(block.label)-----\n".utf8)
        var index = 0
        while index < body.count {
            let next = min(index + lineCharacters, body.count)
            text.append(contentsOf: body[index..<next])
            text.append(0x0A)
            index = next
        }
        text.append(contentsOf: "-----END \(block.label)-----\n".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// All blocks concatenated.
    package static func encode(_ blocks: [Block]) -> String {
        blocks.map { encode($0) }.joined()
    }

    /// Reads every block; text between blocks is skipped, anything odd within one is refused.
    ///
    /// Headers inside a block (the old encrypted form) and white space are refused. An input
    /// without any block gives an empty list.
    package static func decode(
        _ text: [UInt8],
        limit: Int = textBytesMax
    ) throws(WireError) -> [Block] {
        guard text.count <= limit else { throw .tooLarge(limit: limit) }
        var blocks: [Block] = []
        var open: (label: String, body: [UInt8])?
        var start = 0
        while start < text.count {
            let next = text[start...].firstIndex(of: 0x0A) ?? text.count
            var line = text[start..<next]
            if line.last == 0x0D { line.removeLast() }
            if var block = open {
                if line.starts(with: dashes) {
                    guard try label(of: line, after: end, at: start) == block.label else {
                        throw malformed(start, "the END label differs from the BEGIN label")
                    }
                    guard blocks.count < blocksMax else {
                        throw malformed(start, "at most \(blocksMax) blocks are allowed")
                    }
                    blocks.append(Block(label: block.label, bytes: try body(block.body, start)))
                    open = nil
                } else {
                    guard !line.isEmpty, line.count <= lineCharactersMax else {
                        throw malformed(start, "lines of a block hold 1 to 76 characters")
                    }
                    open = nil
                    block.body.append(contentsOf: line)
                    open = block
                }
            } else if line.starts(with: dashes) {
                open = (try label(of: line, after: begin, at: start), [])
            }
            start = next + 1
        }
        guard open == nil else { throw malformed(text.count, "the END line is missing") }
        return blocks
    }

    /// Reads every block of a text.
    package static func decode(
        _ text: String,
        limit: Int = textBytesMax
    ) throws(WireError) -> [Block] {
        guard text.utf8.count <= limit else { throw .tooLarge(limit: limit) }
        return try decode(Array(text.utf8), limit: limit)
    }

    private static func body(_ text: [UInt8], _ offset: Int) throws(WireError) -> [UInt8] {
        do {
            return try Base64Alphabet.standard.decode(text.span)
        } catch {
            throw malformed(offset, "the block before this line is not strict base64")
        }
    }

    private static func label(
        of line: ArraySlice<UInt8>,
        after opening: [UInt8],
        at offset: Int
    ) throws(WireError) -> String {
        guard
            line.count > opening.count + dashes.count,
            line.starts(with: opening),
            line.suffix(dashes.count).elementsEqual(dashes)
        else {
            throw malformed(offset, "a boundary line is '-----BEGIN LABEL-----' or its END")
        }
        let label = line.dropFirst(opening.count).dropLast(dashes.count)
        let isPlain = label.allSatisfy { 0x20...0x7E ~= $0 && $0 != 0x2D }
        guard isPlain, label.first != 0x20, label.last != 0x20 else {
            throw malformed(offset, "a label is printable ASCII without dashes")
        }
        return String(decoding: label, as: UTF8.self)
    }

    private static func malformed(_ offset: Int, _ problem: String) -> WireError {
        .malformed(format: "PEM", offset: offset, problem: problem)
    }
}
