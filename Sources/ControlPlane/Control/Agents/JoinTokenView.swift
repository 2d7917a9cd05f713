package import Mesh
package import Store
package import Wire

extension JoinTokenRow {
    /// The token as the API shows it, without its secret, which nobody has.
    package var document: Document {
        .fields([
            "id": .string(id.description),
            "agent": .string(agent.text),
            "created_at": .timestamp(createdAt),
            "expires_at": .timestamp(expiresAt),
            "revoked_at": revokedAt.map(Document.timestamp) ?? .null,
            "redeemed_at": redeemedAt.map(Document.timestamp) ?? .null,
            "created_by": .string(createdBy),
        ])
    }
}

/// What a new join token is asked to be.
package struct JoinTokenRequest: Equatable, Sendable {
    /// What a join token may live.
    package static let lifetimes = Duration.seconds(60)...AuthorityLifetimes.joinTokenMax
    /// The most placements that come with one token.
    package static let placementsMax = 64

    package let lifetime: Duration
    /// What is placed on the agent in the same change.
    package let services: [ServiceName]

    package init(
        lifetime: Duration = AuthorityLifetimes.joinTokenMax,
        services: [ServiceName] = []
    ) {
        self.lifetime = lifetime
        self.services = services
    }

    /// Reads the body of a request.
    package init(from value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            let lifetime = try reader.optionalDuration("ttl", in: Self.lifetimes)
            var services: [ServiceName] = []
            let placements = try reader.optional("placements")?.list(limit: Self.placementsMax)
            for placement in placements ?? [] {
                services.append(
                    try placement.parsed(as: "<namespace>/<service>") { text throws(NameError) in
                        try ServiceName(text)
                    }
                )
            }
            return JoinTokenRequest(
                lifetime: lifetime ?? AuthorityLifetimes.joinTokenMax,
                services: services
            )
        }
    }
}
