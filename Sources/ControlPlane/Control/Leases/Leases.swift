import Crypto
package import Mesh
import Observability
import Postgres
package import Store
package import Wire

/// What somebody asks a credential for.
package struct LeaseRequest: Equatable, Sendable {
    /// The longest key that a client makes up for a request.
    package static let idempotencyKeyBytesMax = 255

    package let profile: ProfileName
    /// Nil to take the profile's.
    package let ttl: Duration?
    /// Names the request, so that repeating it makes no second role.
    package let idempotencyKey: String?

    package init(profile: ProfileName, ttl: Duration? = nil, idempotencyKey: String? = nil) {
        self.profile = profile
        self.ttl = ttl
        self.idempotencyKey = idempotencyKey
    }
}

/// A role that was given to somebody.
package struct IssuedRole: Sendable {
    package let lease: LeaseRow
    package let username: String
    /// Until the lease ends.
    package let remaining: Duration
    /// What was cut from what was asked for, and by whom.
    package let warnings: [String]
}

/// What a leased role logs in with.
enum LeaseSecret: Sendable {
    /// Made here, and told to the holder once.
    case password(String)
    /// Made by the holder, who alone knows what belongs to it.
    case verifier(SCRAMVerifier)
}

/// A credential, on its way to who asked; it is kept nowhere.
package struct LeasedCredential: Sendable {
    package let lease: LeaseRow
    /// What clients know it by.
    package var name: LeaseID { lease.name }
    package let username: String
    package let password: String
    /// Until the lease ends.
    package let remaining: Duration
    /// What was cut from what was asked for, and by whom.
    package let warnings: [String]

    init(_ role: IssuedRole, password: String) {
        self.password = password
        lease = role.lease
        username = role.username
        remaining = role.remaining
        warnings = role.warnings
    }
}

/// Credentials with an end.
package struct Leases: Sendable {
    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// How often one request is answered again: each time the target is given another password.
    package static let repetitionsMax: Int64 = 32

    /// The canonical resource path of what profiles are asked for.
    package static func path(_ profile: ProfileName) -> String {
        LeaseID.pathPrefix + profile.text
    }

    /// Gives out a credential.
    ///
    /// Three steps, and whatever a crash between them leaves behind is found and removed: the intent
    /// is committed, the role is made, the activation is committed. Only then is it answered.
    package func issue(
        _ request: LeaseRequest,
        by caller: Caller
    ) async throws(ControlError) -> LeasedCredential {
        let password = LeasePassword.make(control.surroundings.randomBytes)
        let role = try await issue(request, .password(password), by: caller)
        return LeasedCredential(role, password: password)
    }

    /// Gives out a role whose password only its holder knows: this side gets the verifier of it.
    package func issue(
        _ request: LeaseRequest,
        verifier: SCRAMVerifier,
        by caller: Caller
    ) async throws(ControlError) -> IssuedRole {
        try await issue(request, .verifier(verifier), by: caller)
    }

    private func issue(
        _ request: LeaseRequest,
        _ secret: LeaseSecret,
        by caller: Caller
    ) async throws(ControlError) -> IssuedRole {
        let (profile, target) = try await terms(of: request.profile)
        if let pause = control.leaseDesk.pause(
            of: target.target.name,
            now: control.surroundings.instant()
        ) {
            throw .unavailable(
                Complaint(
                    "target.unreachable",
                    "the target \(target.target.name) does not answer; it is asked again in"
                        + " \(DurationText.format(.seconds(pause.components.seconds + 1)))"
                )
            )
        }
        let wish = LeaseIntents.Wish(
            request: request,
            profile: profile,
            targetVersion: target.version,
            caller: caller,
            id: control.makeID(),
            term: LeaseTerm.issued(
                asked: request.ttl,
                default: profile.defaultTTL,
                under: [LeaseTerm.Bound("the profile \(profile.name)", profile.maxTTL)],
                random: control.surroundings.fraction()
            )
        )
        switch try await LeaseIntents(control).commit(wish) {
        case .again(let lease): return try await repassword(lease, secret, on: target, by: caller)
        case .new(let lease, let term):
            try await make(lease, secret, on: target)
            return try await activate(lease, term, on: target, by: caller)
        }
    }

    /// One lease by name.
    package func find(_ name: LeaseID) async throws(ControlError) -> LeaseRow {
        let row = try await control.read { database in
            try await LeaseRepository.find(
                name.id,
                guardedBy: control.rowGuard,
                in: database
            )
        }
        guard let row, row.name == name else { throw Self.notFound(name) }
        return row
    }

    /// One page in the order in which they were asked for, after a lease.
    package func list(
        of profile: ProfileName? = nil,
        openOnly: Bool = true,
        after id: UUIDv7? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> Page<LeaseRow> {
        try await control.read { database in
            try await LeaseRepository.list(
                of: profile,
                openOnly: openOnly,
                after: id,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    // MARK: Steps

    /// What a lease would be made by: nothing that is forged, gone or not allowed any more.
    private func terms(
        of name: ProfileName
    ) async throws(ControlError) -> (LeaseProfile, TargetRow) {
        // Whether both are of one state is seen when the intent is committed.
        let (profile, target) = try await control.look { database in
            let profile = try await ProfileRepository.find(
                name,
                guardedBy: control.rowGuard,
                in: database
            )
            guard let profile else { throw Profiles.notFound(name) }
            let target = try await TargetRepository.find(
                profile.profile.target,
                guardedBy: control.rowGuard,
                in: database
            )
            return (profile.profile, target)
        }
        guard let target else { throw Targets.notFound(profile.target) }
        guard target.decommissionedAt == nil else {
            throw .gone(
                Complaint("target.decommissioned", "the target \(profile.target) is gone for good")
            )
        }
        guard target.target.allows(name) else {
            throw .forbidden(
                Complaint(
                    "profile.not_allowed",
                    "the target \(profile.target) does not allow the profile \(name) any more"
                )
            )
        }
        return (profile, target)
    }

    /// Makes the role, or gives the lease up where that is certain not to have happened.
    private func make(
        _ lease: LeaseRow,
        _ secret: LeaseSecret,
        on target: TargetRow
    ) async throws(ControlError) {
        let role = LeasedRole(
            lease: lease.id,
            cluster: control.cluster.id,
            generation: lease.generation
        )
        do throws(TargetFailure) {
            try await createRole(
                role,
                secret: secret,
                plan: lease.plan.plan,
                lifetime: lease.expiresAt - lease.createdAt,
                intendedAt: lease.createdAt,
                on: target
            )
        } catch {
            // Whether it is there says its name; who cannot be asked is looked after by the worker.
            if error == .outcomeUnknown, await isPresent(role, on: target) == true { return }
            if error != .outcomeUnknown {
                _ = try? await control.write { database in
                    try await LeaseRepository.abort(
                        lease.id,
                        because: error.word,
                        in: database
                    )
                }
            }
            throw Self.complaint(about: target.target.name, error)
        }
    }

    private func isPresent(_ role: LeasedRole, on target: TargetRow) async -> Bool? {
        try? await control.targets.run(on: target) { database throws(PostgresError) in
            try await TargetRoles.present(among: [role.name], in: database)
        }.contains(role.name)
    }

    private func activate(
        _ lease: LeaseRow,
        _ term: LeaseTerm,
        on target: TargetRow,
        by caller: Caller
    ) async throws(ControlError) -> IssuedRole {
        var lease = lease
        let (isActive, now) = try await LeaseIntents(control).activate(lease, by: caller)
        guard isActive else {
            // It was revoked while its role was made, or took too long: nobody gets the password.
            let ending = RoleEnding(control: control, row: target)
            let role = LeasedRole.name(of: lease.id)
            _ = try? await ending.endAccess(of: [role])
            throw .conflict(
                Complaint(
                    "lease.given_up",
                    "the lease was given up before it was issued: ask again"
                )
            )
        }
        control.metrics.counter(
            MetricNames.leasesIssued,
            labels: [target.target.name.text]
        ).increment()
        lease.state = .active
        lease.issuedAt = now
        return IssuedRole(
            lease: lease,
            username: LeasedRole.name(of: lease.id),
            remaining: lease.expiresAt - now,
            warnings: term.warnings
        )
    }

    /// Answers a request again whose first answer was lost: the same role with another password.
    private func repassword(
        _ lease: LeaseRow,
        _ secret: LeaseSecret,
        on target: TargetRow,
        by caller: Caller
    ) async throws(ControlError) -> IssuedRole {
        guard lease.generation <= Self.repetitionsMax else {
            throw .tooMany(
                Complaint(
                    "lease.too_many",
                    "this request was answered \(Self.repetitionsMax) times: ask under another"
                        + " idempotency_key"
                ),
                retryAfter: .seconds(60)
            )
        }
        let (isAdvanced, now) = try await control.act(
            caller,
            action: "lease.repeat",
            resource: lease.name.description
        ) { act in
            let isAdvanced = try await LeaseRepository.advance(
                lease.id,
                from: lease.generation,
                in: act.database
            )
            if !isAdvanced { act.conclude(outcome: "refused", reason: "ending") }
            return (isAdvanced, act.at)
        }
        guard isAdvanced else { throw Self.ending(lease.name) }
        var lease = lease
        lease.generation += 1
        let role = LeasedRole(
            lease: lease.id,
            cluster: control.cluster.id,
            generation: lease.generation
        )
        do throws(TargetFailure) {
            let verifier = try verifier(of: secret)
            try await control.targets.run(on: target) { database throws(PostgresError) in
                try await TargetRoles.change(role, toVerifier: verifier, in: database)
            }
        } catch {
            // The record of the repetition speaks of what was begun.
            try? await control.act(
                caller,
                action: "lease.repeat",
                resource: lease.name.description
            ) { act in act.conclude(outcome: "failed", reason: "target") }
            throw Self.complaint(about: target.target.name, error)
        }
        return IssuedRole(
            lease: lease,
            username: role.name,
            remaining: lease.expiresAt - now,
            warnings: []
        )
    }
}

extension ControlPlane {
    /// Credentials with an end.
    package var leases: Leases { Leases(self) }
}
