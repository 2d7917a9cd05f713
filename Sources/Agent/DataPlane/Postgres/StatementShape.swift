import Crypto
import Wire

/// A statement without its values: what it does, never with what.
package struct StatementFingerprint: Hashable, Sendable {
    /// The first 16 bytes of the shape's SHA-256, in hex; the same for all that differ in values only.
    package let hash: String
    /// The shape as text, cut after `PostgresLimits.shapeByteCountMax` bytes; `?` is a value.
    package let shape: String
}

/// Builds the shape of one statement, word by word.
struct StatementShape {
    private static let value = UInt8(ascii: "?")
    /// What repeats in rows of values.
    private static let rows = Array("(?),(?)".utf8)
    private static let row = Array("(?)".utf8)

    private var bytes: [UInt8] = []
    private var previous: (kind: SQLToken.Kind, end: Int)?
    private var hasPendingComma = false

    /// Takes the next word; `text` is the whole text that it stands in.
    mutating func append(_ token: SQLToken, in text: [UInt8]) {
        switch token.kind {
        case .string, .number, .parameter:
            // A list of values is as long as it happens to be.
            if hasPendingComma, bytes.last == Self.value {
                hasPendingComma = false
            } else {
                flushComma()
                separate(token)
                bytes.append(Self.value)
            }
        case .sign where text[token.range.lowerBound] == UInt8(ascii: ","):
            flushComma()
            hasPendingComma = true
        case .sign:
            flushComma()
            separate(token, sign: text[token.range.lowerBound])
            bytes.append(text[token.range.lowerBound])
            if bytes.suffix(Self.rows.count).elementsEqual(Self.rows) {
                bytes.removeLast(Self.rows.count - Self.row.count)
            }
        case .word:
            flushComma()
            separate(token)
            for byte in text[token.range] { bytes.append(0x41...0x5A ~= byte ? byte | 0x20 : byte) }
        case .quotedName:
            flushComma()
            separate(token)
            bytes += text[token.range]
        }
        previous = (token.kind, token.range.upperBound)
    }

    private mutating func flushComma() {
        guard hasPendingComma else { return }
        hasPendingComma = false
        bytes.append(UInt8(ascii: ","))
    }

    private mutating func separate(_ token: SQLToken, sign: UInt8? = nil) {
        guard let previous, let last = bytes.last else { return }
        let isOneOperator =
            token.kind == .sign && previous.kind == .sign && previous.end == token.range.lowerBound
        let hugsLast = [UInt8(ascii: "("), UInt8(ascii: "."), UInt8(ascii: "[")].contains(last)
        let hugsSign = sign.map { Array("().[]".utf8).contains($0) } ?? false
        if isOneOperator || hugsLast || hugsSign { return }
        bytes.append(0x20)
    }

    /// What was built; nil for nothing.
    func finish() -> StatementFingerprint? {
        var all = bytes
        if hasPendingComma { all.append(UInt8(ascii: ",")) }
        guard !all.isEmpty else { return nil }
        let hash = SHA256.digest(of: all).bytes.prefix(16)
        let limit = PostgresLimits.shapeByteCountMax
        var end = min(limit, all.count)
        // Not within a character.
        while end > 0, end < all.count, all[end] & 0xC0 == 0x80 { end -= 1 }
        return StatementFingerprint(
            hash: Hex.encode(Array(hash)),
            shape: String(decoding: all.prefix(end), as: UTF8.self)
        )
    }
}
