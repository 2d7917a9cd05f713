import Crypto
import Mesh
import Postgres
import Store
import Wire

extension Leases {
    /// Makes a role on a target; its secret is good for a time, by the target's clock.
    ///
    /// `intendedAt` is when the intent was committed, by our database's clock; nil for now.
    func createRole(
        _ role: LeasedRole,
        secret: LeaseSecret,
        plan: LeaseProfile.Plan,
        lifetime: Duration,
        intendedAt: Timestamp? = nil,
        on target: TargetRow
    ) async throws(TargetFailure) {
        let verifier = try verifier(of: secret)
        let within = control.leaseDesk.settings.createWithin
        let began = control.surroundings.instant()
        let most = control.leaseDesk.settings.clockOffsetMax
        // By how much the target's clock is ahead, found in the very transaction that uses it.
        let offset = try await control.targets.run(on: target) {
            database throws(PostgresError) in
            let now = try await TargetRoles.time(in: database)
            let elapsed = began.duration(to: control.surroundings.instant())
            let offset = intendedAt.map { now - ($0 + elapsed) } ?? .zero
            guard offset.magnitude <= most else { return offset }
            let creation = TargetRoles.Creation(
                role: role,
                verifier: verifier,
                deadline: now + (within - elapsed),
                lifetime: lifetime - elapsed
            )
            switch plan {
            case .managed(let managed):
                try await TargetRoles.create(creation, as: managed, in: database)
            case .raw(let raw):
                try await TargetRoles.create(
                    creation,
                    by: raw.creation.compactMap { StatementTemplate($0) },
                    in: database
                )
            }
            return offset
        }
        guard offset.magnitude <= most else { throw .unusable(Self.clockText(offset)) }
    }

    func verifier(of secret: LeaseSecret) throws(TargetFailure) -> String {
        let password: String
        switch secret {
        case .verifier(let verifier): return verifier.text
        case .password(let text): password = text
        }
        do throws(CryptoError) {
            return try SCRAM.verifier(
                of: SecretBytes(copying: Array(password.utf8)),
                salt: control.surroundings.randomBytes(SCRAM.saltByteCount)
            )
        } catch {
            throw .unusable("no verifier of the password")
        }
    }

    /// Refuses a target whose clock is too far from our database's.
    func checkClock(of target: TargetName, offset: Duration) throws(ControlError) {
        guard offset.magnitude > control.leaseDesk.settings.clockOffsetMax else { return }
        throw .invalid("target.clock", field: "host", Self.clockText(offset))
    }

    private static func clockText(_ offset: Duration) -> String {
        "its clock is \(DurationText.format(.seconds(offset.magnitude.components.seconds)))"
            + " \(offset > .zero ? "ahead of" : "behind") this server's database: set it right"
    }

    static func complaint(about target: TargetName, _ failure: TargetFailure) -> ControlError {
        switch failure {
        case .unreachable:
            .unavailable(
                Complaint(
                    "target.unreachable",
                    "the target \(target) does not answer; nothing was issued, try again"
                )
            )
        case .outcomeUnknown:
            .unavailable(
                Complaint(
                    "target.outcome_unknown",
                    "the connection to the target \(target) was lost; what was made there is removed,"
                        + " try again"
                )
            )
        case .refused(let answer) where answer.state == TargetRoles.givenUp:
            .unavailable(
                Complaint("lease.given_up", "the target \(target) took too long; try again")
            )
        case .refused(let answer) where answer.state == TargetRoles.notThere:
            .conflict(
                Complaint("lease.ending", "the role is gone or locked out: ask for a new lease")
            )
        case .refused(let answer):
            .unavailable(
                Complaint("target.refused", "the target \(target) refused: \(answer)")
            )
        case .unusable(let text):
            .unavailable(Complaint("target.unusable", "the target \(target): \(text)"))
        }
    }

    static func ending(_ name: LeaseID) -> ControlError {
        .conflict(
            Complaint("lease.ending", "the lease \(name) has ended or is being revoked")
        )
    }

    static func notFound(_ name: LeaseID) -> ControlError {
        .notFound(Complaint("lease.not_found", "there is no lease \(name)"))
    }
}

extension Duration {
    /// The duration without its sign.
    fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}
