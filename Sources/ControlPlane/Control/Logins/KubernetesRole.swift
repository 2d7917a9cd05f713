package import Mesh
package import Store
package import Wire

/// Which service accounts of a Kubernetes cluster log in by a role, and what the login gives.
package struct KubernetesRole: Equatable, Sendable {
    package static let boundsMax = 64
    /// The longest name of an account, and the longest audience.
    package static let boundBytesMax = 253

    /// Names, or `*` alone for all.
    package var accounts: [String] = []
    package var namespaces: [String] = []
    /// Whom tokens must be for: one that was made for somebody else is nobody's login.
    package var audience = ""
    package var grant = TokenGrant()

    package init() {}

    /// What a token must say.
    var rules: JWTRole {
        var rules = JWTRole()
        rules.audiences = [audience]
        rules.claims = [
            JWTRole.BoundClaim(path: "/kubernetes.io/namespace", values: namespaces),
            JWTRole.BoundClaim(path: "/kubernetes.io/serviceaccount/name", values: accounts),
        ]
        rules.areClaimsGlobs = true
        rules.userClaim = "sub"
        return rules
    }
}

extension KubernetesRole: LoginRole {
    package static var method: AuthMethod { .kubernetes }
    package static var kind: AuthEntryRow.Kind { .kubernetesRole }

    /// As it is stored.
    package var document: Document {
        .fields([
            "accounts": .list(accounts),
            "namespaces": .list(namespaces),
            "audience": .string(audience),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let audience = document["audience"]?.text, let grant = TokenGrant(document["grant"])
        else { return nil }
        accounts = document["accounts"]?.items?.compactMap(\.text) ?? []
        namespaces = document["namespaces"]?.items?.compactMap(\.text) ?? []
        self.audience = audience
        self.grant = grant
        guard self.document == document else { return nil }
    }

    package func check() throws(ControlError) {
        try Self.check(accounts, "bound_service_account_names")
        try Self.check(namespaces, "bound_service_account_namespaces")
        guard accounts != ["*"] || namespaces != ["*"] else {
            throw Self.wrong(
                "bound_service_account_names",
                "must not be * together with the namespaces: everybody would come in"
            )
        }
        guard (1...Self.boundBytesMax).contains(audience.utf8.count), Text.isPrintable(audience)
        else { throw Self.wrong("audience", "is required: whom the tokens are made for") }
    }

    private static func check(_ names: [String], _ field: String) throws(ControlError) {
        let isName = names.allSatisfy { name in
            (1...boundBytesMax).contains(name.utf8.count)
                && name.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x61...0x7A, 0x2D, 0x2E: true
                    default: false
                    }
                }
        }
        guard names == ["*"] || (isName && (1...boundsMax).contains(names.count)) else {
            throw wrong(field, "must have 1 to \(boundsMax) names, or * alone")
        }
    }

    private static func wrong(_ field: String, _ problem: String) -> ControlError {
        .invalid("auth.unbound", field: field, problem)
    }
}

/// How a mount knows the tokens of a cluster: by keys that are given, or by asking its API server.
package struct KubernetesConfiguration: Equatable, Sendable {
    /// Public keys, PEM; where there are some, nobody is asked.
    package var publicKeys: [String] = []
    /// Empty for any.
    package var issuer = ""
    /// Such as `https://10.0.0.1:6443`.
    package var host = ""
    /// The authorities of the API server; empty for those of the system.
    package var hostCAPEM = ""
    package var allowsPrivateAddresses = false

    package init() {}

    var document: Document {
        .fields([
            "public_keys": .list(publicKeys),
            "issuer": .string(issuer),
            "host": .string(host),
            "host_ca_pem": .string(hostCAPEM),
            "private_addresses": .bool(allowsPrivateAddresses),
        ])
    }

    /// Nil for what no server wrote.
    init?(_ document: Document) {
        guard let issuer = document["issuer"]?.text, let host = document["host"]?.text,
            let roots = document["host_ca_pem"]?.text,
            let isPrivate = document["private_addresses"]?.bool
        else { return nil }
        publicKeys = document["public_keys"]?.items?.compactMap(\.text) ?? []
        self.issuer = issuer
        self.host = host
        hostCAPEM = roots
        allowsPrivateAddresses = isPrivate
        guard self.document == document else { return nil }
    }
}
