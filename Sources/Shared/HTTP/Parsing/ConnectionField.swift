/// The `Connection` field of a head, and what it may not name.
///
/// A client that nominates a field makes the next hop drop it; a field of identity, framing or
/// routing that vanishes between two hops is how one of them is deceived.
struct ConnectionField {
    /// The options in lower case.
    let options: [String]

    init(_ fields: HeaderFields) throws(MessageFault) {
        guard fields.contains(.connection) else {
            options = []
            return
        }
        var options: [String] = []
        for option in fields.list(.connection) {
            guard let name = FieldName(option) else { throw .connectionFieldInvalid }
            guard !ConnectionField.isProtected(name.text) else {
                throw .connectionFieldNominatesProtected
            }
            options.append(name.text)
        }
        self.options = options
    }

    /// Whether neither `Connection` nor a trailer may name this field; `_` counts as `-`.
    static func isProtected(_ name: String) -> Bool {
        let plain = String(
            decoding: name.utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0.lowerCased },
            as: UTF8.self
        )
        return names.contains(plain) || prefixes.contains { plain.hasPrefix($0) }
    }

    private static let names: Set<String> = [
        "authorization", "client-cert", "client-cert-chain", "content-encoding",
        "content-length", "content-type", "cookie", "expect", "forwarded", "host",
        "remote-user", "set-cookie", "transfer-encoding", "true-client-ip", "txn-token",
        "x-api-key", "x-real-ip",
    ]

    private static let prefixes = [
        "x-turnpike-", "x-forwarded-", "x-vault-", "x-consul-", "x-amz-", "x-auth-request-",
    ]
}
