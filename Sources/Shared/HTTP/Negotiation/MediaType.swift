/// A media type such as `application/json; charset=utf-8` (RFC 9110 section 8.3.1).
package struct MediaType: Equatable, Sendable, CustomStringConvertible {
    /// Longest text accepted, in bytes.
    package static let byteCountMax = 256

    /// Type and subtype in lower case.
    package let type: String
    package let subtype: String
    /// The `charset` parameter in lower case; nil when absent.
    package let charset: String?

    /// The type of every native body.
    package static let json = MediaType(type: "application", subtype: "json")
    package static let jsonText = "application/json"

    private init(type: String, subtype: String) {
        self.type = type
        self.subtype = subtype
        charset = nil
    }

    /// A media type from a field value; nil when it is malformed, or repeats its charset.
    package init?(_ text: String) {
        guard text.utf8.count <= MediaType.byteCountMax else { return nil }
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        let names = (parts.first ?? "").trimmingBlanks.split(
            separator: "/",
            omittingEmptySubsequences: false
        )
        guard names.count == 2, let type = FieldName(String(names[0])),
            let subtype = FieldName(String(names[1]))
        else { return nil }
        var charset: String?
        for part in parts.dropFirst() {
            guard let parameter = MediaType.parameter(part.trimmingBlanks) else { return nil }
            guard parameter.name == "charset" else { continue }
            guard charset == nil else { return nil }
            charset = parameter.value.lowerCasedASCII
        }
        self.type = type.text
        self.subtype = subtype.text
        self.charset = charset
    }

    /// Whether a body of this type is read as JSON: `application/json` or `+json`, in UTF-8.
    package var isJSON: Bool {
        type == "application" && (subtype == "json" || subtype.hasSuffix("+json"))
            && (charset == nil || charset == "utf-8" || charset == "utf8")
    }

    package var description: String { "\(type)/\(subtype)" }

    private static func parameter(_ text: Substring) -> (name: String, value: String)? {
        guard let equals = text.firstIndex(of: "="),
            let name = FieldName(String(text[..<equals]))
        else { return nil }
        var value = text[text.index(after: equals)...]
        if value.first == "\"" {
            guard value.utf8.count >= 2, value.last == "\"" else { return nil }
            value = value.dropFirst().dropLast()
            guard !value.contains("\""), !value.contains("\\") else { return nil }
            return (name.text, String(value))
        }
        return FieldName(String(value)) == nil ? nil : (name.text, String(value))
    }
}

extension HeaderFields {
    /// Whether the one `Content-Type` says JSON; false when it is absent, repeated or malformed.
    package var isContentJSON: Bool {
        guard count(of: .contentType) == 1 else { return false }
        return first(.contentType).flatMap { MediaType($0) }?.isJSON ?? false
    }

    /// Whether `Accept` admits a media type; everything when it is absent (RFC 9110 section 12.5.1).
    ///
    /// The most specific range decides; only `q=0` excludes, other weights are not compared.
    package func accepts(_ mediaType: MediaType) -> Bool {
        let ranges = list(.accept)
        guard !ranges.isEmpty else { return true }
        let candidates = [mediaType.description, "\(mediaType.type)/*", "*/*"]
        for candidate in candidates {
            for range in ranges {
                let parts = range.split(separator: ";")
                guard let name = parts.first?.trimmingBlanks,
                    String(name).lowerCasedASCII == candidate
                else { continue }
                return !parts.dropFirst().contains { part in
                    let text = part.trimmingBlanks
                    return ["q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"].contains(text)
                }
            }
        }
        return false
    }
}

extension StringProtocol {
    /// Without blanks at its ends.
    var trimmingBlanks: Substring {
        var text = Substring(self)
        while let first = text.utf8.first, first.isBlank { text = text.dropFirst() }
        while let last = text.utf8.last, last.isBlank { text = text.dropLast() }
        return text
    }

    /// With ASCII letters in lower case, all else untouched.
    var lowerCasedASCII: String {
        String(decoding: utf8.map(\.lowerCased), as: UTF8.self)
    }
}
