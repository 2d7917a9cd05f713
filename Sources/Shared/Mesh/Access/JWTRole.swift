package import Wire

/// What a token must say for a login by one role, and what the login gives.
package struct JWTRole: Equatable, Sendable {
    /// How far clocks may be apart.
    package static let leewaySecondsMax: Int64 = 300
    package static let leewaySecondsDefault: Int64 = 60
    /// The most bound claims, audiences, clients and mappings, and the most values of one claim.
    package static let boundsMax = 64
    package static let valueBytesMax = 1024

    /// A claim that must have one of some values.
    package struct BoundClaim: Equatable, Sendable {
        /// Its name, or a JSON pointer that begins with a slash.
        package let path: String
        package let values: [String]

        package init(path: String, values: [String]) {
            self.path = path
            self.values = values
        }
    }

    package var audiences: [String] = []
    /// Clients whose tokens are taken although they have no `aud`, as Cognito's access tokens are.
    package var clientIDs: [String] = []
    package var subject = ""
    package var claims: [BoundClaim] = []
    /// Whether `*` in the values of `claims` stands for any text.
    package var areClaimsGlobs = false
    /// Whose value names the caller.
    package var userClaim = ""
    /// Claims that go into the token's metadata, by the name that they get there.
    package var claimMappings: [String: String] = [:]
    package var leewaySeconds = JWTRole.leewaySecondsDefault
    package var grant = TokenGrant()

    package init() {}

    /// Whether it binds anything: a role that does not would let in every token of the issuer.
    package var isBound: Bool {
        !audiences.isEmpty || !clientIDs.isEmpty || !subject.isEmpty || !claims.isEmpty
    }

    /// Who logs in, with what goes into the token's metadata; refused unless every bound holds.
    package func identify(
        _ token: TokenClaims,
        issuer: String?,
        now: Timestamp
    ) throws(ClaimRefusal) -> (user: String, metadata: [String: String]) {
        let leeway: Duration = .seconds(min(max(leewaySeconds, 0), Self.leewaySecondsMax))
        guard isBound else { throw .missing(claim: "bound") }
        guard now < token.expiresAt + leeway else { throw .expired }
        for start in [token.notBefore, token.issuedAt].compactMap(\.self) {
            guard now + leeway >= start else { throw .notYetValid }
        }
        if let issuer, !issuer.isEmpty {
            guard let claimed = token.issuer else { throw .missing(claim: "iss") }
            guard Self.isSame(claimed, issuer) else { throw .notAllowed(claim: "iss") }
        }
        try checkAudience(token)
        if !subject.isEmpty {
            guard let claimed = token.subject else { throw .missing(claim: "sub") }
            guard Self.isSame(claimed, subject) else { throw .notAllowed(claim: "sub") }
        }
        for claim in claims { try check(claim, of: token) }
        return (try user(of: token), try metadata(of: token))
    }

    private func checkAudience(_ token: TokenClaims) throws(ClaimRefusal) {
        guard let claimed = token.audiences else {
            // Without an audience only a listed client counts (Cognito's access tokens have client_id).
            guard !clientIDs.isEmpty else {
                if audiences.isEmpty { return }
                throw .missing(claim: "aud")
            }
            guard let client = token.document["client_id"]?.text else {
                throw .missing(claim: "client_id")
            }
            guard clientIDs.contains(where: { Self.isSame($0, client) }) else {
                throw .notAllowed(claim: "client_id")
            }
            if let use = token.document["token_use"], use.text != "access" {
                throw .notAllowed(claim: "token_use")
            }
            return
        }
        guard !audiences.isEmpty else { throw .unexpectedAudience }
        guard claimed.contains(where: { one in audiences.contains { Self.isSame($0, one) } })
        else { throw .notAllowed(claim: "aud") }
    }

    private func check(_ bound: BoundClaim, of token: TokenClaims) throws(ClaimRefusal) {
        guard token.value(at: bound.path) != nil else { throw .missing(claim: bound.path) }
        guard let texts = token.texts(at: bound.path) else { throw .malformed(claim: bound.path) }
        let isAllowed = texts.contains { text in
            bound.values.contains { value in
                areClaimsGlobs ? TextGlob(value).matches(text) : Self.isSame(value, text)
            }
        }
        guard isAllowed else { throw .notAllowed(claim: bound.path) }
    }

    private func user(of token: TokenClaims) throws(ClaimRefusal) -> String {
        guard let value = token.value(at: userClaim) else { throw .missing(claim: userClaim) }
        guard let text = value.text, (1...Self.valueBytesMax).contains(text.utf8.count),
            Text.isPrintable(text)
        else { throw .malformed(claim: userClaim) }
        return text
    }

    private func metadata(of token: TokenClaims) throws(ClaimRefusal) -> [String: String] {
        var metadata: [String: String] = [:]
        for (claim, name) in claimMappings where token.value(at: claim) != nil {
            guard let texts = token.texts(at: claim), texts.count == 1, let text = texts.first,
                text.utf8.count <= Self.valueBytesMax, Text.isPrintable(text)
            else { throw .malformed(claim: claim) }
            metadata[name] = text
        }
        return metadata
    }

    /// By their bytes: texts that only look the same are different.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.elementsEqual(right.utf8)
    }
}

extension JWTRole {
    /// As it is stored.
    package var document: Document {
        .fields([
            "bound_audiences": .list(audiences),
            "bound_client_ids": .list(clientIDs),
            "bound_subject": .string(subject),
            "bound_claims": .map(
                Dictionary(claims.map { ($0.path, Document.list($0.values)) }) { first, _ in first }
            ),
            "bound_claims_type": areClaimsGlobs ? "glob" : "string",
            "user_claim": .string(userClaim),
            "claim_mappings": .map(claimMappings),
            "leeway": .number(leewaySeconds),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let subject = document["bound_subject"]?.text,
            let userClaim = document["user_claim"]?.text,
            let leeway = document["leeway"]?.integer,
            let grant = TokenGrant(document["grant"])
        else { return nil }
        audiences = document["bound_audiences"]?.items?.compactMap(\.text) ?? []
        clientIDs = document["bound_client_ids"]?.items?.compactMap(\.text) ?? []
        self.subject = subject
        claims = (document["bound_claims"]?.entries ?? []).map { entry in
            BoundClaim(
                path: entry.key,
                values: entry.value.items?.compactMap(\.text) ?? []
            )
        }
        areClaimsGlobs = document["bound_claims_type"]?.text == "glob"
        self.userClaim = userClaim
        for entry in document["claim_mappings"]?.entries ?? [] {
            claimMappings[entry.key] = entry.value.text ?? ""
        }
        leewaySeconds = leeway
        self.grant = grant
        guard self.document == document else { return nil }
    }
}
