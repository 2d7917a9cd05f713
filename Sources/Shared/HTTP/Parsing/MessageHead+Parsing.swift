extension RequestHead {
    /// Joins a request line and its fields, and decides host, framing and persistence.
    init(
        _ line: RequestLine,
        fields: HeaderFields,
        policy: RequestPolicy
    ) throws(MessageFault) {
        method = line.method
        target = line.target
        version = line.version
        self.fields = fields
        authority = try RequestHead.authority(line, fields)
        framing = try BodyFraming(fields, version: line.version) ?? .none
        let connection = try ConnectionField(fields)
        allowsReuse = line.version == .http11 && !connection.options.contains("close")
        expectsContinue = try RequestHead.expectsContinue(line.version, fields)
        if case .fixed(let byteCount) = framing, byteCount > policy.limits.bodyByteCountMax {
            throw .bodyTooLarge
        }
        removeUpgrade(policy)
    }

    private static func authority(
        _ line: RequestLine,
        _ fields: HeaderFields
    ) throws(MessageFault) -> Authority? {
        let hostCount = fields.count(of: .host)
        guard hostCount <= 1 else { throw .hostRepeated }
        guard let value = fields.firstBytes(.host) else {
            guard line.version == .http10 else { throw .hostMissing }
            switch line.target.form {
            case .origin, .asterisk: return nil
            case .absolute(_, let authority), .authority(let authority): return authority
            }
        }
        guard let host = Authority(value.span) else { throw .hostInvalid }
        switch line.target.form {
        case .origin, .asterisk: break
        case .absolute(_, let authority), .authority(let authority):
            guard authority == host else { throw .hostMismatch }
        }
        return host
    }

    private static func expectsContinue(
        _ version: Version,
        _ fields: HeaderFields
    ) throws(MessageFault) -> Bool {
        guard fields.contains(.expect) else { return false }
        let values = fields.values(.expect)
        guard values.count == 1, let value = values.first,
            Array(value.utf8).span.equalsIgnoringCase("100-continue")
        else { throw .expectationUnknown }
        return version == .http11
    }

    /// Removes an offer to change the protocol that nobody here will take up, so that no next hop
    /// takes it up behind our back (h2c).
    private mutating func removeUpgrade(_ policy: RequestPolicy) {
        fields.remove(.http2Settings)
        let offered = fields.values(.upgrade)
        let isWebSocket =
            offered.count == 1
            && offered.allSatisfy { Array($0.utf8).span.equalsIgnoringCase("websocket") }
        guard policy.keepsWebSocketUpgrade, isWebSocket, method == .get, framing.isEmpty else {
            fields.remove(.upgrade)
            return
        }
    }
}

extension BodyFraming {
    /// The framing that the fields of a message declare; nil when they declare none.
    ///
    /// Stricter than RFC 9112 section 6.3: where it lets one field win, this refuses.
    init?(_ fields: HeaderFields, version: Version) throws(MessageFault) {
        let lengthCount = fields.count(of: .contentLength)
        let codingCount = fields.count(of: .transferEncoding)
        guard lengthCount == 0 || codingCount == 0 else { throw .lengthAndTransferEncoding }
        guard lengthCount <= 1 else { throw .contentLengthRepeated }
        guard codingCount <= 1 else { throw .transferEncodingRepeated }
        if let coding = fields.firstBytes(.transferEncoding) {
            guard version == .http11 else { throw .transferEncodingInHTTP10 }
            try BodyFraming.checkCoding(coding.span)
            self = .chunked
        } else if let length = fields.firstBytes(.contentLength) {
            self = .fixed(byteCount: try BodyFraming.byteCount(length.span))
        } else {
            return nil
        }
    }

    /// Passes `chunked` only; tells a coding that we lack (501) from a malformed list (400).
    private static func checkCoding(_ value: Span<UInt8>) throws(MessageFault) {
        if value.equalsIgnoringCase("chunked") { return }
        guard !value.isEmpty else { throw .transferEncodingInvalid }
        let codings = value.text(value.indices).split(
            separator: ",",
            omittingEmptySubsequences: false
        ).map { Array($0.utf8) }
        for (index, coding) in codings.enumerated() {
            let name = coding.span.trimmed(coding.indices) { $0 == .space }
            let token = coding.span.extracting(name)
            guard !token.isEmpty else { throw .transferEncodingInvalid }
            for position in token.indices where !token[position].isTokenCharacter {
                throw .transferEncodingInvalid
            }
            if token.equalsIgnoringCase("chunked"), index < codings.count - 1 {
                throw .transferEncodingInvalid
            }
        }
        throw .transferEncodingUnknown
    }

    /// The number of a Content-Length: digits only, at most 19 of them.
    private static func byteCount(_ value: Span<UInt8>) throws(MessageFault) -> Int {
        guard (1...19).contains(value.count) else { throw .contentLengthInvalid }
        var number: UInt64 = 0
        for index in value.indices {
            guard value[index].isDigit else { throw .contentLengthInvalid }
            number = number &* 10 &+ UInt64(value[index] &- 0x30)
        }
        guard let byteCount = Int(exactly: number) else { throw .contentLengthInvalid }
        return byteCount
    }
}
