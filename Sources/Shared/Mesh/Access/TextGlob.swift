/// A text in which `*` stands for any run of bytes, none included; everything else for itself.
package struct TextGlob: Hashable, Sendable {
    /// The longest glob.
    package static let bytesMax = 1024

    private let pieces: [[UInt8]]

    /// Takes every text; what is longer than `bytesMax` bytes must have been refused before.
    package init(_ text: String) {
        pieces = Array(text.utf8).split(
            separator: UInt8(ascii: "*"),
            omittingEmptySubsequences: false
        )
        .map(Array.init)
    }

    /// Whether the whole text matches, byte by byte; in time linear in the lengths' product at most.
    package func matches(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        guard let first = pieces.first, let last = pieces.last, rest.starts(with: first) else {
            return false
        }
        guard pieces.count > 1 else { return rest.count == first.count }
        rest = rest.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() {
            guard let end = Self.end(of: piece, in: rest) else { return false }
            rest = rest[end...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    private static func end(of piece: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= piece.count else { return nil }
        for start in text.startIndex...(text.endIndex - piece.count)
        where text[start..<(start + piece.count)].elementsEqual(piece) {
            return start + piece.count
        }
        return nil
    }
}
