/// Why a message can not be written.
package enum SerializationFault: Error, Equatable, Sendable, CaseIterable {
    case framingNotAllowed

    /// What is wrong, for people.
    package var sentence: String {
        switch self {
        case .framingNotAllowed:
            "This message can not have a body of that framing."
        }
    }
}

/// Fields that the serialiser writes itself, so that framing and persistence have one source.
private let writtenFields: [FieldName] = [
    .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection,
]

extension RequestHead {
    /// The head on the wire, in origin-form with `Host` first.
    ///
    /// Framing comes from `framing`, and `connection: close` from `allowsReuse`; fields of the
    /// same meaning are not copied. Nothing in a head can hold a line break, by construction.
    package func serialized() throws(SerializationFault) -> [UInt8] {
        guard framing != .untilClose, framing != .chunked || version == .http11 else {
            throw .framingNotAllowed
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes += method.token.utf8
        bytes.append(.space)
        switch target.form {
        case .authority: bytes += target.description.utf8
        case .origin, .absolute, .asterisk: bytes += target.originForm.utf8
        }
        bytes.append(.space)
        bytes += version.description.utf8
        bytes += "\r\n".utf8
        if let authority { bytes += "host: \(authority)\r\n".utf8 }
        fields.write(into: &bytes, except: writtenFields + [.host])
        let isLengthExpected = method == .post || method == .put || method == .patch
        bytes.appendFraming(framing == .none && isLengthExpected ? .fixed(byteCount: 0) : framing)
        if !allowsReuse, version == .http11 { bytes += "connection: close\r\n".utf8 }
        bytes += "\r\n".utf8
        return bytes
    }
}

extension ResponseHead {
    /// The head on the wire; rules as for requests, with the standard reason phrase.
    ///
    /// For the answer to HEAD, `framing` is what the answer to GET would have.
    package func serialized() throws(SerializationFault) -> [UInt8] {
        guard !status.forbidsBody || framing.isEmpty else { throw .framingNotAllowed }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes += "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n".utf8
        fields.write(into: &bytes, except: writtenFields)
        if !status.forbidsBody {
            bytes.appendFraming(framing == .none ? .fixed(byteCount: 0) : framing)
        }
        if !status.isInformational, !allowsReuse || framing == .untilClose {
            bytes += "connection: close\r\n".utf8
        }
        bytes += "\r\n".utf8
        return bytes
    }
}

/// The chunked coding of a body (RFC 9112 section 7.1).
package enum ChunkedCoding {
    /// The end of a chunked body.
    package static let end = Array("0\r\n\r\n".utf8)

    /// One chunk; nothing for no bytes, since an empty chunk would end the body.
    package static func chunk(_ body: [UInt8]) -> [UInt8] {
        guard !body.isEmpty else { return [] }
        var bytes = Array((String(body.count, radix: 16) + "\r\n").utf8)
        bytes.reserveCapacity(bytes.count + body.count + 2)
        bytes += body
        bytes += "\r\n".utf8
        return bytes
    }
}

extension HeaderFields {
    /// Removes what concerns one connection only, before a message goes to the next hop
    /// (RFC 9110 section 7.6.1): `Connection`, what it names, and the fields known to be such.
    package mutating func removeHopByHop() {
        var dropped = Set(
            list(.connection).map {
                String(decoding: $0.utf8.map(\.lowerCased), as: UTF8.self)
            }
        )
        for name in HeaderFields.hopByHop { dropped.insert(name.text) }
        removeAll { dropped.contains($0) }
    }

    private static let hopByHop: [FieldName] = [
        .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade,
        .http2Settings, .proxyAuthorization, .proxyAuthenticate,
    ]
}

extension Array where Element == UInt8 {
    fileprivate mutating func appendFraming(_ framing: BodyFraming) {
        switch framing {
        case .none, .untilClose: break
        case .fixed(let byteCount): self += "content-length: \(byteCount)\r\n".utf8
        case .chunked: self += "transfer-encoding: chunked\r\n".utf8
        }
    }
}
