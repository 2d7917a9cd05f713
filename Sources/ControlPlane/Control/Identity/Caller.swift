package import Mesh
package import Wire

/// Who asks, from where, and what they may do: the same value authorises, is audited and limits
/// what may be granted.
package struct Caller: Sendable, Equatable {
    /// The name that audit records keep: `token/<accessor>`, `agent/<name>` or `server/<name>`.
    package let principal: String
    /// The public name of the token, if a token was shown.
    package let accessor: UUIDv7?
    /// For people: the token's display name or the agent's name.
    package let displayName: String
    /// The policies as they were when the caller was authenticated.
    package let policies: [AccessPolicy]
    /// The peer's address without port; empty for work of the server itself.
    package let sourceAddress: String
    /// The request's id, in every log line and audit record about it.
    package let requestID: String

    package init(
        principal: String,
        accessor: UUIDv7? = nil,
        displayName: String = "",
        policies: [AccessPolicy] = [],
        sourceAddress: String = "",
        requestID: String = ""
    ) {
        self.principal = principal
        self.accessor = accessor
        self.displayName = displayName
        self.policies = policies
        self.sourceAddress = sourceAddress
        self.requestID = requestID
    }

    /// Whether a capability is granted on a canonical resource path without leading slash, and no other
    /// path of the same object is denied.
    package func may(_ capability: Capability, on path: String) -> Bool {
        AccessEvaluation.allows(capability, on: path, policies: policies)
            && !ResourceAliases.of(path, for: capability).contains { other in
                capability == .list ? isListDenied(of: other) : isDenied(on: other)
            }
    }

    /// Whether the list of a folder is denied, with or without the slash at its end.
    package func isListDenied(of path: String) -> Bool {
        AccessEvaluation.capabilities(listing: path, policies: policies).contains(.deny)
    }

    /// Whether a path is denied, which no right on another path of the same object overrides.
    package func isDenied(on path: String) -> Bool {
        AccessEvaluation.capabilities(on: path, policies: policies).contains(.deny)
    }

    /// Whether any rule of its policies grants something on a path that begins with `prefix`.
    package func mayDoAnything(below prefix: String) -> Bool {
        guard let glob = try? PathGlob(prefix + "*") else { return false }
        let wanted = GlobShape(glob)
        return policies.lazy.flatMap(\.rules).contains { rule in
            !rule.capabilities.isEmpty && !rule.capabilities.contains(.deny)
                && GlobShape(rule.path).meets(wanted)
        }
    }

    /// The caller as seen by one request.
    package func during(requestID: String, sourceAddress: String) -> Caller {
        Caller(
            principal: principal,
            accessor: accessor,
            displayName: displayName,
            policies: policies,
            sourceAddress: sourceAddress,
            requestID: requestID
        )
    }
}
