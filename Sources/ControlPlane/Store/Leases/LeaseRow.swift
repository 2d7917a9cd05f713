package import Mesh
import Postgres
package import Wire

extension LeaseState: PostgresCodable {}

/// A lease as it is kept; the credential itself is nowhere.
package struct LeaseRow: Equatable, Sendable {
    package let id: UUIDv7
    /// The profile as it was when the lease was asked for.
    package let plan: LeaseProfile
    package let principal: String
    /// The accessor of the token that asked.
    package let token: UUIDv7?
    package let sourceAddress: String
    package let idempotencyKey: String?
    package var state: LeaseState
    /// One more with every password that was given out.
    package var generation: Int64
    package let createdAt: Timestamp
    /// Nothing is made on the target after this.
    package let createBefore: Timestamp
    package var issuedAt: Timestamp?
    package var renewedAt: Timestamp?
    package var expiresAt: Timestamp
    package let maxExpiresAt: Timestamp
    package var revokeRequestedAt: Timestamp?
    package var revokeReason: String?
    package var accessEndedAt: Timestamp?
    package var cleanedAt: Timestamp?
    package var attempts: Int
    package var lastError: String?
    /// False for a row that somebody else wrote: then its plan is none of ours, and only what
    /// follows from its id may be done.
    package let isAuthentic: Bool

    /// A lease that is asked for now.
    package init(
        id: UUIDv7,
        plan: LeaseProfile,
        principal: String,
        token: UUIDv7?,
        sourceAddress: String,
        idempotencyKey: String?,
        createdAt: Timestamp,
        createBefore: Timestamp,
        expiresAt: Timestamp,
        maxExpiresAt: Timestamp
    ) {
        self.id = id
        self.plan = plan
        self.principal = principal
        self.token = token
        self.sourceAddress = sourceAddress
        self.idempotencyKey = idempotencyKey
        state = .creating
        generation = 1
        self.createdAt = createdAt
        self.createBefore = createBefore
        self.expiresAt = expiresAt
        self.maxExpiresAt = maxExpiresAt
        attempts = 0
        isAuthentic = true
    }

    package var name: LeaseID { LeaseID(profile: plan.name, id: id) }

    /// What never changes.
    static func content(
        id: UUIDv7,
        profile: String,
        target: String,
        plan: Document?,
        principal: String,
        maxExpiresAt: Timestamp
    ) -> RowContent {
        var content = RowContent(table: "leases", key: id.description)
        content.add("profile", profile)
        content.add("target", target)
        content.add("plan", plan)
        content.add("principal", principal)
        content.add("max_expires_at", maxExpiresAt)
        return content
    }

    var content: RowContent {
        Self.content(
            id: id,
            profile: plan.name.text,
            target: plan.target.text,
            plan: plan.document,
            principal: principal,
            maxExpiresAt: maxExpiresAt
        )
    }

    /// Reads a row; one whose tag does not hold gives an empty plan, with the alarm.
    init(_ row: Row, _ rowGuard: RowGuard) throws(PostgresError) {
        id = try row.decode("id")
        let profile = try row.parsed("profile") { text throws(NameError) in try ProfileName(text) }
        let target = try row.parsed("target") { text throws(NameError) in try TargetName(text) }
        let text: JSONText = try row.decode("plan")
        let principal: String = try row.decode("principal")
        let maxExpiresAt: Timestamp = try row.decode("max_expires_at")
        let read = LeaseDocument.profile(profile.text, text)
        isAuthentic = rowGuard.isAuthentic(
            Self.content(
                id: id,
                profile: profile.text,
                target: target.text,
                plan: read?.document,
                principal: principal,
                maxExpiresAt: maxExpiresAt
            ),
            tag: try row.decode("mac")
        )
        self.principal = principal
        self.maxExpiresAt = maxExpiresAt
        if let read, isAuthentic {
            plan = read
        } else {
            plan = LeaseProfile(
                name: profile,
                target: target,
                plan: .raw(LeaseProfile.Raw(creation: [])),
                defaultTTL: LeaseTerm.least,
                maxTTL: LeaseTerm.least
            )
        }
        token = try row.decodeIfPresent("token")
        sourceAddress = try row.decode("source_address")
        idempotencyKey = try row.decodeIfPresent("idempotency_key")
        state = try row.decode("state")
        generation = try row.decode("generation")
        createdAt = try row.decode("created_at")
        createBefore = try row.decode("create_before")
        issuedAt = try row.decodeIfPresent("issued_at")
        renewedAt = try row.decodeIfPresent("renewed_at")
        expiresAt = try row.decode("expires_at")
        revokeRequestedAt = try row.decodeIfPresent("revoke_requested_at")
        revokeReason = try row.decodeIfPresent("revoke_reason")
        accessEndedAt = try row.decodeIfPresent("access_ended_at")
        cleanedAt = try row.decodeIfPresent("cleaned_at")
        attempts = try row.decode("attempts")
        lastError = try row.decodeIfPresent("last_error")
    }
}
