/// Why a path is refused; the answer is 400 and no rule is asked.
package enum PathRefusal: String, Error, Hashable, Sendable, CaseIterable {
    case tooLong = "too_long"
    case notAbsolute = "not_absolute"
    case backslash = "backslash"
    case fragment = "fragment"
    case controlByte = "control_byte"
    /// A byte that RFC 3986 does not allow in a path, a raw byte beyond ASCII among them.
    case wrongCharacter = "wrong_character"
    case malformedEscape = "malformed_escape"
    case encodedSlash = "encoded_slash"
    case encodedBackslash = "encoded_backslash"
    case encodedControlByte = "encoded_control_byte"
    case invalidUTF8 = "invalid_utf8"
    /// `;` begins parameters that some servers cut off before they look at the path.
    case segmentParameters = "segment_parameters"
}

/// The one place that says what a path means; agent, gateway, explain and tests call it.
///
/// Decide on the canonical bytes and forward the same bytes, so that no server behind can read
/// another path than the one that was judged. Unreserved bytes are decoded, other escapes get
/// upper-case hexadecimal, repeated slashes are merged, dot segments removed (RFC 3986 §5.2.4).
/// What servers are known to read differently is refused. Canonical output is a fixed point.
package enum PathCanonicalizer {
    /// The longest path.
    package static let pathMaxBytes = 8192

    /// Splits an origin-form target at the first `?` and canonicalises the path.
    ///
    /// The query is returned as it stood, without the `?`; nil if there was none.
    package static func canonicalize(
        target: some Collection<UInt8>
    ) throws(PathRefusal) -> (path: [UInt8], query: [UInt8]?) {
        let bytes = Array(target)
        // '#' never travels in a request (RFC 9112 §3.2.1), and where the query begins is in
        // doubt behind one.
        guard !bytes.contains(UInt8(ascii: "#")) else { throw .fragment }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .controlByte }
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else {
            return (try canonicalize(path: bytes), nil)
        }
        return (try canonicalize(path: bytes[..<mark]), Array(bytes[(mark + 1)...]))
    }

    /// Canonicalises a path without query.
    package static func canonicalize(
        path: some Collection<UInt8>
    ) throws(PathRefusal) -> [UInt8] {
        guard path.count <= pathMaxBytes else { throw .tooLong }
        guard path.first == UInt8(ascii: "/") else { throw .notAbsolute }
        let decoded = try decode(Array(path))
        return removeDotSegments(decoded)
    }

    /// Decodes what may be decoded and refuses what is read in two ways.
    private static func decode(_ path: [UInt8]) throws(PathRefusal) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(path.count)
        var beyondASCII: [UInt8] = []
        var index = 0
        while index < path.count {
            let byte = path[index]
            guard byte == UInt8(ascii: "%") else {
                try check(raw: byte)
                try flush(&beyondASCII)
                output.append(byte)
                index += 1
                continue
            }
            guard index + 2 < path.count, let high = value(ofDigit: path[index + 1]),
                let low = value(ofDigit: path[index + 2])
            else { throw .malformedEscape }
            let value = high << 4 | low
            index += 3
            if value >= 0x80 {
                beyondASCII.append(value)
            } else {
                try flush(&beyondASCII)
                try check(encoded: value)
            }
            if isUnreserved(value) {
                output.append(value)
            } else {
                output += [UInt8(ascii: "%"), digit(value >> 4), digit(value & 15)]
            }
        }
        try flush(&beyondASCII)
        return output
    }

    private static func check(raw byte: UInt8) throws(PathRefusal) {
        switch byte {
        case UInt8(ascii: "\\"): throw .backslash
        case UInt8(ascii: "#"): throw .fragment
        case UInt8(ascii: ";"): throw .segmentParameters
        case 0...0x1F, 0x7F: throw .controlByte
        default:
            // pchar and '/' (RFC 3986 §3.3)
            guard isUnreserved(byte) || "/!$&'()*+,=:@".utf8.contains(byte) else {
                throw .wrongCharacter
            }
        }
    }

    private static func check(encoded byte: UInt8) throws(PathRefusal) {
        switch byte {
        case UInt8(ascii: "/"): throw .encodedSlash
        case UInt8(ascii: "\\"): throw .encodedBackslash
        case 0...0x1F, 0x7F: throw .encodedControlByte
        default: break
        }
    }

    /// Adjacent escapes beyond ASCII must be whole characters: overlong forms of `/` and `.`
    /// are how this check has been walked around before.
    private static func flush(_ bytes: inout [UInt8]) throws(PathRefusal) {
        guard !bytes.isEmpty else { return }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .invalidUTF8 }
        bytes.removeAll(keepingCapacity: true)
    }

    private static func removeDotSegments(_ path: [UInt8]) -> [UInt8] {
        let dot = UInt8(ascii: ".")
        let slash = UInt8(ascii: "/")
        var segments: [ArraySlice<UInt8>] = []
        var endsInSlash = false
        for segment in path.split(separator: slash, omittingEmptySubsequences: false) {
            endsInSlash = true
            if segment.isEmpty || segment.elementsEqual([dot]) { continue }
            if segment.elementsEqual([dot, dot]) {
                _ = segments.popLast()
                continue
            }
            segments.append(segment)
            endsInSlash = false
        }
        var output: [UInt8] = []
        output.reserveCapacity(path.count)
        for segment in segments {
            output.append(slash)
            output += segment
        }
        if endsInSlash || output.isEmpty { output.append(slash) }
        return output
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default:
            false
        }
    }

    private static func value(ofDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
