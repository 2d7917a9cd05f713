/// The target of a request, as it stood in the request line (RFC 9112 section 3.2).
package struct RequestTarget: Hashable, Sendable, CustomStringConvertible {
    /// Which of the four forms it had.
    package enum Form: Hashable, Sendable {
        case origin
        case absolute(scheme: String, authority: Authority)
        case authority(Authority)
        case asterisk
    }

    package let form: Form
    /// The path, still percent-encoded; empty in authority-form, `*` in asterisk-form.
    package let path: String
    /// What stood behind the first `?`, still percent-encoded; nil without a `?`.
    package let query: String?

    /// The target `*`.
    package static let asterisk = RequestTarget(form: .asterisk, path: "*", query: nil)

    /// An origin-form target such as `/v1/services?limit=10`; nil when a byte of it may not stand there.
    package init?(_ originForm: String) {
        self.init(originForm: Array(originForm.utf8).span)
    }

    /// Path and query as the next hop gets them; the authority travels in `Host`.
    package var originForm: String {
        query.map { "\(path)?\($0)" } ?? path
    }

    package var description: String {
        switch form {
        case .origin, .asterisk: originForm
        case .absolute(let scheme, let authority): "\(scheme)://\(authority)\(originForm)"
        case .authority(let authority): authority.description
        }
    }

    private init(form: Form, path: String, query: String?) {
        self.form = form
        self.path = path
        self.query = query
    }

    /// The target in `bytes`, in the form that `method` asks for; nil when it is malformed.
    init?(_ bytes: Span<UInt8>, method: Method) {
        if method == .connect {
            guard let authority = Authority(bytes), authority.port != nil else { return nil }
            self.init(form: .authority(authority), path: "", query: nil)
            return
        }
        guard !bytes.isEmpty else { return nil }
        if bytes[0] == .slash {
            self.init(originForm: bytes)
        } else if bytes.count == 1, bytes[0] == UInt8(ascii: "*") {
            guard method == .options else { return nil }
            self = .asterisk
        } else {
            self.init(absoluteForm: bytes)
        }
    }

    private init?(originForm bytes: Span<UInt8>) {
        guard !bytes.isEmpty, bytes[0] == .slash else { return nil }
        self.init(form: .origin, pathAndQuery: bytes)
    }

    private init?(absoluteForm bytes: Span<UInt8>) {
        for scheme in ["http", "https"] {
            let prefixCount = scheme.utf8.count + 3
            guard bytes.count > prefixCount,
                bytes.extracting(0..<prefixCount).equalsIgnoringCase(scheme + "://")
            else { continue }
            var end = prefixCount
            while end < bytes.count, bytes[end] != .slash, bytes[end] != UInt8(ascii: "?") {
                end &+= 1
            }
            guard let authority = Authority(bytes.extracting(prefixCount..<end)) else {
                return nil
            }
            self.init(
                form: .absolute(scheme: scheme, authority: authority),
                pathAndQuery: bytes.extracting(end..<bytes.count)
            )
            return
        }
        return nil
    }

    private init?(form: Form, pathAndQuery bytes: Span<UInt8>) {
        let pathEnd = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
        var index = 0
        while index < pathEnd {
            let octet = bytes[index]
            guard octet.isPathCharacter else { return nil }
            if octet == .percent {
                guard index + 2 < pathEnd, bytes[index + 1].hexDigitValue != nil,
                    bytes[index + 2].hexDigitValue != nil
                else { return nil }
            }
            index &+= 1
        }
        while index < bytes.count {
            guard bytes[index].isQueryCharacter else { return nil }
            index &+= 1
        }
        let path = pathEnd == 0 ? "/" : bytes.text(0..<pathEnd)
        let query = pathEnd < bytes.count ? bytes.text((pathEnd + 1)..<bytes.count) : nil
        self.init(form: form, path: path, query: query)
    }
}
