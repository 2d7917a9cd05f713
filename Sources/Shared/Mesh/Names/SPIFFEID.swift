/// Why bytes are no SPIFFE id; the cases follow SPIFFE-ID §2.
package enum SPIFFEIDError: Error, Hashable, Sendable {
    case tooLong
    /// Does not begin with the lower-case `spiffe://`.
    case wrongScheme
    case wrongTrustDomain
    case emptySegment
    case dotSegment
    case trailingSlash
    /// A byte outside `[A-Za-z0-9._-]`: percent, query, fragment, NUL and all else.
    case wrongCharacter
}

/// A SPIFFE id, parsed strictly: one spelling per identity, so that bytes can be compared.
package struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    /// The longest text that is accepted.
    package static let lengthMaxBytes = 2048
    private static let scheme = "spiffe://"

    /// The authority of the id.
    package let trustDomain: TrustDomain
    /// Empty for the id of the trust domain itself, else `/` and segments.
    package let path: String

    /// Reads the bytes of a URI SAN as they are: nothing is decoded, folded or normalised.
    package init(bytes: some Collection<UInt8>) throws(SPIFFEIDError) {
        guard bytes.count <= Self.lengthMaxBytes else { throw .tooLong }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .wrongCharacter }
        try self.init(String(decoding: bytes, as: UTF8.self))
    }

    /// The id in its one spelling.
    package init(_ text: String) throws(SPIFFEIDError) {
        guard text.utf8.count <= Self.lengthMaxBytes else { throw .tooLong }
        guard text.utf8.starts(with: Self.scheme.utf8) else { throw .wrongScheme }
        let rest = text.utf8.dropFirst(Self.scheme.utf8.count)
        let authority = rest.prefix { $0 != UInt8(ascii: "/") }
        guard let domain = try? TrustDomain(String(decoding: authority, as: UTF8.self)) else {
            throw .wrongTrustDomain
        }
        let path = rest.dropFirst(authority.count)
        try Self.check(path: path)
        trustDomain = domain
        self.path = String(decoding: path, as: UTF8.self)
    }

    /// The id in its one spelling.
    package init(service: ServiceName, in trustDomain: TrustDomain) {
        self.trustDomain = trustDomain
        path = "/ns/\(service.namespace.text)/svc/\(service.name.text)"
    }

    /// The id in its one spelling.
    package init(agent: AgentName, in trustDomain: TrustDomain) {
        self.trustDomain = trustDomain
        path = "/agent/\(agent.text)"
    }

    /// The id in its one spelling.
    package init(server: ServerName, in trustDomain: TrustDomain) {
        self.trustDomain = trustDomain
        path = "/server/\(server.text)"
    }

    package var description: String { Self.scheme + trustDomain.text + path }

    /// Who of the mesh this is; nil for an id that is well formed but none of our three forms.
    package var subject: Subject? {
        let segments = path.split(separator: "/").map(String.init)
        switch (segments.count, segments.first) {
        case (4, "ns") where segments[2] == "svc":
            guard let namespace = try? NamespaceName(segments[1]),
                let name = try? ServiceLabel(segments[3])
            else { return nil }
            return .service(ServiceName(namespace: namespace, name: name))
        case (2, "agent"):
            return (try? AgentName(segments[1])).map(Subject.agent)
        case (2, "server"):
            return (try? ServerName(segments[1])).map(Subject.server)
        default:
            return nil
        }
    }

    /// The disjoint forms of identity in the mesh.
    package enum Subject: Hashable, Sendable {
        /// `/ns/<namespace>/svc/<service>`
        case service(ServiceName)
        /// `/agent/<name>`
        case agent(AgentName)
        /// `/server/<name>`
        case server(ServerName)
    }

    private static func check(path: Substring.UTF8View) throws(SPIFFEIDError) {
        guard !path.isEmpty else { return }
        guard path.last != UInt8(ascii: "/") else { throw .trailingSlash }
        let segments = path.dropFirst()
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for segment in segments {
            guard !segment.isEmpty else { throw .emptySegment }
            guard segment.allSatisfy(isAllowed) else { throw .wrongCharacter }
            let dots = segment.allSatisfy { $0 == UInt8(ascii: ".") }
            guard !(dots && segment.count <= 2) else { throw .dotSegment }
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}
