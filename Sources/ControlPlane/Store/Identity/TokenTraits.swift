package import Wire

/// What a token has that was made as clients of Vault make them: a parent, an end that can be moved,
/// a number of uses, places it may come from.
package struct TokenTraits: Equatable, Sendable {
    /// Whose end is this one's end too; nil for an orphan.
    package let parent: UUIDv7?
    package let isRenewable: Bool
    /// What it was made for, in seconds; a renewal gives the same again.
    package let lifetimeSeconds: Int64
    /// What its maker asked for as the longest life, in seconds; 0 for nothing.
    package let explicitMaxSeconds: Int64
    /// No renewal goes beyond this.
    package let maxExpiresAt: Timestamp
    /// How many times it may still be used; nil for as often as one likes.
    package var usesLeft: Int64?
    /// From where it may be used, as ranges of addresses; empty for everywhere.
    package let boundCIDRs: [String]
    /// For people and programs.
    package let meta: [String: String]
    /// The path that made it, such as `auth/token/create`.
    package let path: String
    /// SHA-256 of the certificate without which it counts for nothing, in hexadecimal; nil for none.
    package let certificate: String?

    package init(
        parent: UUIDv7?,
        isRenewable: Bool,
        lifetimeSeconds: Int64,
        explicitMaxSeconds: Int64,
        maxExpiresAt: Timestamp,
        usesLeft: Int64?,
        boundCIDRs: [String],
        meta: [String: String],
        path: String,
        certificate: String? = nil
    ) {
        self.certificate = certificate
        self.parent = parent
        self.isRenewable = isRenewable
        self.lifetimeSeconds = lifetimeSeconds
        self.explicitMaxSeconds = explicitMaxSeconds
        self.maxExpiresAt = maxExpiresAt
        self.usesLeft = usesLeft
        self.boundCIDRs = boundCIDRs
        self.meta = meta
        self.path = path
    }

    /// As it is stored; the parent has a column of its own.
    var document: Document {
        .fields([
            "renewable": .bool(isRenewable),
            "lifetime": .number(lifetimeSeconds),
            "explicit_max": .number(explicitMaxSeconds),
            "max_expires_at": .number(maxExpiresAt.microsecondsSinceEpoch),
            "uses_left": usesLeft.map { .number($0) },
            "bound_cidrs": .list(boundCIDRs),
            "meta": .map(meta),
            "path": .string(path),
            // Left out where there is none, so that the MAC of other tokens is what it was.
            "certificate": certificate.map { .string($0) },
        ])
    }

    /// Nil for what no server wrote.
    init?(_ document: Document, parent: UUIDv7?) {
        guard let isRenewable = document["renewable"]?.bool,
            let lifetime = document["lifetime"]?.integer,
            let explicitMax = document["explicit_max"]?.integer,
            let maxExpires = document["max_expires_at"]?.integer,
            let ranges = document["bound_cidrs"]?.items,
            let meta = document["meta"]?.entries,
            let path = document["path"]?.text
        else { return nil }
        let (nanoseconds, overflow) = maxExpires.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return nil }
        self.init(
            parent: parent,
            isRenewable: isRenewable,
            lifetimeSeconds: lifetime,
            explicitMaxSeconds: explicitMax,
            maxExpiresAt: Timestamp(nanosecondsSinceEpoch: nanoseconds),
            usesLeft: document["uses_left"]?.integer,
            boundCIDRs: ranges.compactMap(\.text),
            meta: Dictionary(meta.map { ($0.key, $0.value.text ?? "") }) { first, _ in first },
            path: path,
            certificate: document["certificate"]?.text
        )
        guard self.document == document else { return nil }
    }
}
