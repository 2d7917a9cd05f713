import Crypto
import Mesh
import Store
import Wire

/// Logins by a signed token of an issuer that is trusted for it.
package struct JWTLogins: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    // MARK: Configuration

    /// How tokens of a mount are verified; nil before that was said.
    package func configuration(_ mount: String) async throws(ControlError) -> JWTConfiguration? {
        _ = try await control.authMounts.require(mount, .jwt)
        let path = Self.configurationPath(mount)
        return try await control.authMounts.entry(path, .jwtConfiguration)
            .flatMap { JWTConfiguration($0.document) }
    }

    /// Says how tokens of a mount are verified; keys that an issuer publishes are fetched once, so that
    /// what cannot work is refused.
    package func configure(
        _ mount: String,
        _ configuration: JWTConfiguration,
        by caller: Caller
    ) async throws(ControlError) {
        let found = try await control.authMounts.require(mount, .jwt)
        try await check(configuration)
        try await control.authMounts.put(
            Self.configurationPath(mount),
            below: found,
            .jwtConfiguration,
            configuration.document,
            by: caller,
            more: { act in
                try await control.authMounts.checkRoles(of: mount, by: caller, act)
            }
        )
    }

    private func check(_ configuration: JWTConfiguration) async throws(ControlError) {
        let sources = [
            !configuration.publicKeys.isEmpty, configuration.jwks != nil,
            !configuration.jwksURL.isEmpty,
        ]
        guard sources.count(where: \.self) == 1 else {
            throw .invalid(
                "auth.keys",
                field: "jwks_url",
                "exactly one of jwks_url, jwks and jwt_validation_pubkeys is needed"
            )
        }
        guard configuration.publicKeys.count <= JWTConfiguration.keysMax else {
            throw .invalid(
                "auth.keys",
                field: "jwt_validation_pubkeys",
                "must have at most \(JWTConfiguration.keysMax) keys"
            )
        }
        guard !configuration.allowed.isEmpty else {
            throw .invalid(
                "auth.algorithms",
                field: "jwt_supported_algs",
                "must name algorithms of RS, PS, ES and EdDSA"
            )
        }
        do throws(JOSEError) {
            if try configuration.givenKeys() != nil { return }
        } catch {
            throw .invalid("auth.keys", field: "jwt_validation_pubkeys", error.description)
        }
        let outcome = await control.keySets.probe(configuration)
        if let problem = outcome {
            throw .invalid("auth.keys", field: "jwks_url", problem)
        }
    }

    // MARK: Login

    /// Gives a token to whoever shows one that the role's rules accept.
    package func logIn(
        _ token: String,
        role name: String?,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(token, name, mount, caller)
        }
    }

    private func judge(
        _ token: String,
        _ name: String?,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .jwt)
        let entries = try await entries(mount, name)
        guard let configured = entries.configuration,
            let configuration = JWTConfiguration(configured.document)
        else { throw await control.refuseLogin("not_configured", caller, at: "auth/\(mount)") }
        guard let row = entries.role, let role = JWTRole(row.document) else {
            throw await control.refuseLogin("unknown_role", caller, at: "auth/\(mount)")
        }
        let verified: (user: String, metadata: [String: String])
        switch await verify(token, configuration, configured, role, at: entries.now) {
        case .success(let user): verified = user
        case .failure(.reason(let reason)):
            throw await control.refuseLogin(reason, caller, at: row.path)
        case .failure(.noKeys):
            throw .unavailable(
                Complaint("auth.no_keys", "the issuer's keys cannot be had at this moment")
            )
        }
        guard Identity.mayCome(from: caller.sourceAddress, role.grant.boundCIDRs) else {
            _ = await control.refuseLogin("elsewhere", caller, at: row.path)
            throw .forbidden(Complaint("access.denied", "permission denied"))
        }
        let roleName = String(row.path.dropFirst("auth/\(mount)/role/".count))
        var login = Tokens.Login(
            mount: found,
            role: row,
            grant: role.grant,
            displayName: "\(mount)-\(verified.user)",
            metadata: verified.metadata.merging(["role": roleName]) { _, own in own }
        )
        login.configuration = configured
        return try await control.tokens.grant(login, by: caller)
    }

    private enum Refusal: Error {
        case reason(String)
        case noKeys
    }

    private func entries(
        _ mount: String,
        _ name: String?
    ) async throws(ControlError) -> (
        configuration: AuthEntryRow?, role: AuthEntryRow?, now: Timestamp
    ) {
        try await control.read { database in
            let configuration = try await AuthEntryRepository.find(
                [Self.configurationPath(mount)],
                guardedBy: control.rowGuard,
                in: database
            ).first { $0.kind == .jwtConfiguration }
            let fallback = configuration?.document["default_role"]?.text ?? ""
            let name = name.flatMap { $0.isEmpty ? nil : $0 } ?? fallback
            let role = try await AuthEntryRepository.find(
                [JWTRole.path(name, at: mount)],
                guardedBy: control.rowGuard,
                in: database
            ).first { $0.kind == .jwtRole }
            return (configuration, role, try await ServerRepository.time(in: database))
        }
    }

    private func verify(
        _ text: String,
        _ configuration: JWTConfiguration,
        _ row: AuthEntryRow,
        _ role: JWTRole,
        at now: Timestamp
    ) async -> Result<(user: String, metadata: [String: String]), Refusal> {
        do {
            let jws = try CompactJWS(text)
            guard configuration.allowed.contains(jws.algorithm) else {
                throw JOSEError.wrongAlgorithm
            }
            guard Self.isAccessToken(jws.type) else { return .failure(.reason("typ_not_allowed")) }
            var keys = try configuration.givenKeys()
            if keys == nil {
                keys = await control.keySets.keys(
                    for: configuration,
                    at: row.path,
                    version: row.version,
                    keyID: jws.keyID,
                    isPlausible: Self.isPlausible(jws, configuration, now)
                )
            }
            guard let keys else { return .failure(.noKeys) }
            let payload = try keys.verify(jws, allowing: configuration.allowed)
            let issuer = configuration.boundIssuer
            let claims = try TokenClaims(payload: payload)
            // Bound to a key (RFC 7800) that nobody here asks for a proof of: worth nothing to a thief.
            guard claims.document["cnf"] == nil else { return .failure(.reason("bound_to_a_key")) }
            return .success(try role.identify(claims, issuer: issuer, now: now))
        } catch let error as JOSEError {
            return .failure(.reason(error.code))
        } catch let error as ClaimRefusal {
            return .failure(.reason(error.code))
        } catch {
            return .failure(.reason("malformed"))
        }
    }

    /// Whether a `typ` is of what identifies its bearer (RFC 7519 §5.1, RFC 9068 §2.1), and not of a
    /// logout, an event or a proof, which the same issuer signs with the same key.
    private static func isAccessToken(_ type: String?) -> Bool {
        guard let type = type?.lowercased() else { return true }
        return ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(type)
    }

    /// Whether an unverified token is worth a question to the issuer: its own, and not expired.
    private static func isPlausible(
        _ jws: CompactJWS,
        _ configuration: JWTConfiguration,
        _ now: Timestamp
    ) -> Bool {
        guard let claims = try? TokenClaims(payload: jws.payload), claims.expiresAt > now else {
            return false
        }
        let issuer = configuration.boundIssuer
        return issuer.isEmpty || claims.issuer?.utf8.elementsEqual(issuer.utf8) == true
    }

    private static func configurationPath(_ mount: String) -> String { "auth/\(mount)/config" }
}

extension ControlPlane {
    /// Logins by signed tokens.
    package var jwtLogins: JWTLogins { JWTLogins(self) }
}
