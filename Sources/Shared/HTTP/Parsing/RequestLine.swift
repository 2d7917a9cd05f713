/// A request line: method, target, version, one space between (RFC 9112 section 3).
struct RequestLine {
    /// Method, two spaces, version and CR beside the target.
    static let overheadByteCountMax = Method.byteCountMax + 2 + 8 + 1

    let method: Method
    let target: RequestTarget
    let version: Version

    init(_ line: Span<UInt8>, policy: RequestPolicy) throws(MessageFault) {
        guard let first = line.firstIndex(of: .space),
            let second = line.firstIndex(of: .space, from: first + 1),
            line.firstIndex(of: .space, from: second + 1) == nil
        else { throw .requestLineMalformed }
        version = try Version(line.extracting((second + 1)..<line.count))
        guard let method = Method(line.extracting(0..<first)) else { throw .methodInvalid }
        let targetBytes = line.extracting((first + 1)..<second)
        guard targetBytes.count <= policy.limits.targetByteCountMax else { throw .targetTooLong }
        guard method.isKnown || policy.acceptsUnknownMethods else { throw .methodUnknown }
        guard let target = RequestTarget(targetBytes, method: method) else {
            throw .targetInvalid
        }
        // TRACE would echo the credentials that hops add; CONNECT belongs to tunnels only.
        guard method != .trace, method != .connect || policy.acceptsConnect else {
            throw .methodRefused
        }
        self.method = method
        self.target = target
    }
}

extension Version {
    init(_ bytes: Span<UInt8>) throws(MessageFault) {
        guard bytes.count == 8, bytes.text(0..<5) == "HTTP/", bytes[5].isDigit,
            bytes[6] == UInt8(ascii: "."), bytes[7].isDigit
        else { throw .versionRefused }
        switch (bytes[5] &- 0x30, bytes[7] &- 0x30) {
        case (1, 1): self = .http11
        case (1, 0): self = .http10
        case (2..., _): throw .versionUnsupported
        default: throw .versionRefused
        }
    }
}
