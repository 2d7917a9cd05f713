/// Why an encoded text of a request target is refused.
package enum TextFault: Error, Equatable, Sendable, CaseIterable {
    /// `%` without two hexadecimal digits behind it.
    case percentInvalid
    /// A control character, encoded or not.
    case controlCharacter
    case utf8Invalid
    /// `/` or `\` inside a path segment.
    case slashInSegment
    /// A segment that is empty, `.` or `..`.
    case segmentInvalid
    case tooLong
    case tooMany
    /// A parameter that may occur once only.
    case repeated

    /// What is wrong, for people.
    package var sentence: String {
        switch self {
        case .percentInvalid: "A percent sign needs two hexadecimal digits behind it."
        case .controlCharacter: "Control characters are not allowed, encoded or not."
        case .utf8Invalid: "Percent-encoded text must be UTF-8."
        case .slashInSegment: "A path segment may not hold a slash or backslash, encoded or not."
        case .segmentInvalid: "A path segment may not be empty, \".\" or \"..\"."
        case .tooLong: "The text is longer than the server reads."
        case .tooMany: "There are more parameters or segments than the server reads."
        case .repeated: "This parameter may occur once only."
        }
    }
}

/// Strict percent-decoding: exactly once, valid UTF-8, no control character.
enum PercentDecoding {
    static func text<Octets: Collection<UInt8>>(
        _ encoded: Octets,
        plusIsSpace: Bool
    ) throws(TextFault) -> String {
        var octets: [UInt8] = []
        octets.reserveCapacity(encoded.count)
        var rest = encoded[...]
        while let octet = rest.popFirst() {
            var decoded = octet
            if octet == .percent {
                guard let high = rest.popFirst()?.hexDigitValue,
                    let low = rest.popFirst()?.hexDigitValue
                else { throw .percentInvalid }
                decoded = high << 4 | low
            } else if octet == UInt8(ascii: "+"), plusIsSpace {
                decoded = .space
            }
            guard decoded >= 0x20, decoded != 0x7F else { throw .controlCharacter }
            octets.append(decoded)
        }
        guard let text = String(validating: octets, as: UTF8.self) else { throw .utf8Invalid }
        // C1 controls are control characters too, and only visible once the text is decoded.
        for scalar in text.unicodeScalars where (0x80...0x9F).contains(scalar.value) {
            throw .controlCharacter
        }
        return text
    }

    /// One path segment; empty, dot and slash are refused after decoding.
    static func segment<Octets: Collection<UInt8>>(
        _ encoded: Octets
    ) throws(TextFault) -> String {
        let text = try text(encoded, plusIsSpace: false)
        guard !text.isEmpty, text != ".", text != ".." else { throw .segmentInvalid }
        for octet in text.utf8 where octet == .slash || octet == UInt8(ascii: "\\") {
            throw .slashInSegment
        }
        return text
    }
}
