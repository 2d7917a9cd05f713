/// The client's name for one creation, so that a retry does not create twice.
package struct IdempotencyKey: Hashable, Sendable, CustomStringConvertible {
    /// Longest key, in bytes.
    package static let byteCountMax = 128

    /// The key without quotes.
    package let text: String

    /// A key from a field value, in double quotes or bare; nil when it is empty, too long or holds
    /// anything but visible ASCII without quotes and commas.
    package init?(_ value: String) {
        var text = value[...]
        if text.first == "\"" {
            guard text.utf8.count >= 2, text.last == "\"" else { return nil }
            text = text.dropFirst().dropLast()
        }
        guard !text.isEmpty, text.utf8.count <= IdempotencyKey.byteCountMax,
            text.utf8.allSatisfy({
                $0.isVisible && $0 != .quote && $0 != .comma && $0 != UInt8(ascii: "\\")
            })
        else { return nil }
        self.text = String(text)
    }

    package var description: String { text }
}
