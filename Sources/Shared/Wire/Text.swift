/// Validation of text that comes from outside.
package enum Text {
    /// The text of `bytes`, or nil when they are not UTF-8 (RFC 3629) or more than `limit` bytes.
    package static func decode(_ bytes: [UInt8], limit: Int = .max) -> String? {
        guard bytes.count <= limit else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The text of `bytes`, or nil when they are not UTF-8 (RFC 3629) or more than `limit` bytes.
    package static func decode(_ bytes: ArraySlice<UInt8>, limit: Int = .max) -> String? {
        guard bytes.count <= limit else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether all bytes lie from space to tilde.
    package static func isPrintableASCII(_ text: String) -> Bool {
        text.utf8.allSatisfy { 0x20...0x7E ~= $0 }
    }

    /// Whether the text can be shown on one line without hiding or reordering anything.
    ///
    /// Refuses control characters, line and paragraph separators, bidirectional controls, zero-width
    /// characters, the byte order mark and noncharacters.
    package static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy(isPrintable)
    }

    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0xAD, 0x061C, 0x180E, 0x200B...0x200F, 0x2028...0x202E,
            0x2060...0x206F, 0xFDD0...0xFDEF, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F:
            false
        case let value: value & 0xFFFE != 0xFFFE
        }
    }
}

extension Substring {
    /// What lies between the occurrences of an ASCII text, found from the left and not overlapping.
    package func parts(separatedBy separator: String) -> [Substring] {
        let pattern = separator.utf8
        var parts: [Substring] = []
        var start = startIndex
        var position = start
        while position < endIndex {
            guard !pattern.isEmpty, utf8[position...].starts(with: pattern) else {
                position = utf8.index(after: position)
                continue
            }
            parts.append(self[start..<position])
            position = utf8.index(position, offsetBy: pattern.count)
            start = position
        }
        parts.append(self[start...])
        return parts
    }
}
