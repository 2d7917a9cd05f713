import Mesh

/// A path of the API with its query, every part encoded.
struct APIPath: Equatable, Sendable {
    private(set) var text: String
    private var hasQuery = false

    /// From segments below `/v1`.
    init(_ segments: String...) { self.init(segments) }

    init(_ segments: [String]) {
        text = "/v1" + segments.map { "/" + Self.encoded($0) }.joined()
    }

    /// The path of a resource.
    init(_ resource: Resource) {
        self.init(resource.path.split(separator: "/").map(String.init))
    }

    /// The same path with one more query parameter; a nil value leaves it as it is.
    func with(_ name: String, _ value: String?) -> APIPath {
        guard let value else { return self }
        var path = self
        path.text += "\(hasQuery ? "&" : "?")\(name)=\(Self.encoded(value))"
        path.hasQuery = true
        return path
    }

    /// RFC 3986 section 2.3, and the `*` of intentions.
    private static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "*"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return encoded
    }
}
