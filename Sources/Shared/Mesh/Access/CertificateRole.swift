package import Wire

/// Which workloads log in by their certificate through one role, and what the login gives.
package struct CertificateRole: Equatable, Sendable {
    package static let boundsMax = 64

    /// SPIFFE ids, in which `*` stands for any text; at least one.
    package var identities: [String] = []
    /// SHA-256 of the one root that counts, in hexadecimal; empty for every root of the mesh.
    package var root = ""
    /// For people; empty for the role's name.
    package var displayName = ""
    package var grant = TokenGrant()

    package init() {}

    /// Whether a workload that was verified under a root may log in by this role.
    package func admits(_ spiffeID: String, root shown: String) -> Bool {
        (root.isEmpty || root == shown) && identities.contains { TextGlob($0).matches(spiffeID) }
    }

    /// As it is stored.
    package var document: Document {
        .fields([
            "identities": .list(identities),
            "root": .string(root),
            "display_name": .string(displayName),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let name = document["display_name"]?.text, let root = document["root"]?.text,
            let grant = TokenGrant(document["grant"])
        else { return nil }
        identities = document["identities"]?.items?.compactMap(\.text) ?? []
        self.root = root
        displayName = name
        self.grant = grant
        guard self.document == document else { return nil }
    }
}
