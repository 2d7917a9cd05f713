import HTTP

/// A request of Vault's surface in its one spelling: slashes that say nothing are gone, `PUT` is
/// `POST`, and a list is `LIST` whichever way it was asked for.
struct VaultTarget: Equatable {
    /// The first segments behind `/v1/` that are Vault's; native routes never begin with one of them.
    static let roots: Set<String> = [
        "auth", "cubbyhole", "database", "identity", "pki", "secret", "sys", "transit",
    ]

    let method: Method
    /// The path as it came, percent-encoded, without empty segments.
    let path: String

    /// Nil for a request of the native surface.
    init?(_ method: Method, path: String, query: String?) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        guard parts.count >= 2, parts[0] == "v1", Self.roots.contains(parts[1]) else { return nil }
        self.path = "/" + parts.joined(separator: "/")
        switch method {
        case .put: self.method = .post
        case .get where Self.asksForList(query): self.method = .list
        default: self.method = method
        }
    }

    init?(_ head: RequestHead) {
        self.init(head.method, path: head.path, query: head.query)
    }

    private static func asksForList(_ query: String?) -> Bool {
        guard let query, let values = try? QueryParameters(query).values("list") else {
            return false
        }
        return values.contains { ["true", "True", "TRUE", "t", "T", "1"].contains($0) }
    }
}
