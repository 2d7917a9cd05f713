/// The name that a peer's certificate must have (RFC 9525 §6.1); common names never count.
package enum ReferenceName: Sendable, Hashable, CustomStringConvertible {
    case dns(String)
    /// 4 or 16 bytes.
    case ip([UInt8])
    case email(String)

    /// A host as people write it: an IP address if it reads as one, else a DNS name.
    package init(host: String) {
        if let bytes = IPAddressText.bytes(of: host) {
            self = .ip(bytes)
        } else {
            self = .dns(host)
        }
    }

    /// An IP address in text, nil when it is none.
    package init?(ip text: String) {
        guard let bytes = IPAddressText.bytes(of: text) else { return nil }
        self = .ip(bytes)
    }

    /// The name as text.
    package var description: String {
        switch self {
        case .dns(let text), .email(let text): text
        case .ip(let bytes):
            bytes.map { String($0) }.joined(separator: bytes.count == 4 ? "." : ",")
        }
    }

    /// Whether a subject alternative name of `certificate` stands for this name.
    package func isNamed(by certificate: Certificate) -> Bool {
        certificate.subjectAlternativeNames.contains { name in
            switch (self, name) {
            case (.dns(let reference), .dns(let presented)):
                DNSName.matches(presented: presented, reference: reference)
            case (.ip(let reference), .ip(let presented)):
                reference == presented
            case (.email(let reference), .email(let presented)):
                Mailbox(reference).map { $0 == Mailbox(presented) } ?? false
            case (.dns, _), (.ip, _), (.email, _):
                false
            }
        }
    }
}

/// Textual IP addresses, strictly (RFC 3986 §3.2.2, RFC 4291 §2.2).
enum IPAddressText {
    static func bytes(of text: String) -> [UInt8]? {
        text.contains(":") ? six(text) : four(text)
    }

    private static func four(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            let isPlain = part.utf8.allSatisfy { 0x30...0x39 ~= $0 }
            guard isPlain, part == "0" || !part.hasPrefix("0"), let byte = UInt8(part) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    private static func six(_ text: String) -> [UInt8]? {
        let halves = text.components(separatedByDoubleColon: ())
        guard halves.count <= 2, let head = groups(halves[0]) else { return nil }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1]), head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func groups(_ text: Substring) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let last = four(part) else { return nil }
                bytes += last
                continue
            }
            let isHex = part.utf8.allSatisfy {
                0x30...0x39 ~= $0 || 0x41...0x46 ~= $0 || 0x61...0x66 ~= $0
            }
            guard isHex, let group = UInt16(part, radix: 16), part.utf8.count <= 4 else {
                return nil
            }
            bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return bytes.count <= 16 ? bytes : nil
    }
}

extension String {
    fileprivate func components(separatedByDoubleColon: Void) -> [Substring] {
        var parts: [Substring] = []
        var start = startIndex
        var index = startIndex
        while index < endIndex {
            let next = self.index(after: index)
            if self[index] == ":", next < endIndex, self[next] == ":" {
                parts.append(self[start..<index])
                start = self.index(after: next)
                index = start
            } else {
                index = next
            }
        }
        return parts + [self[start...]]
    }
}
