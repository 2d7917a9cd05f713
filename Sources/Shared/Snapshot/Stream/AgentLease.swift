package import Mesh
import Wire

/// What an agent asks about a lease that it holds, or wants, for one of its workloads.
package struct AgentLeaseRequest: Hashable, Sendable {
    /// What is to be done.
    package enum Act: Hashable, Sendable {
        /// Gives out a role for an upstream port of the agent; the password stays with the agent.
        case issue(port: UInt16, profile: ProfileName, verifier: SCRAMVerifier)
        /// Lets it live longer.
        case renew(LeaseID)
        /// Ends it.
        case revoke(LeaseID)
    }

    /// Told apart by the agent; the answer carries it back.
    package var id: UInt64
    package var act: Act

    package init(id: UInt64, act: Act) {
        self.id = id
        self.act = act
    }
}

/// A role on a database, with all that is needed to log in but the password.
package struct LeasedAccount: Hashable, Sendable {
    package var lease: LeaseID
    /// Until the lease ends, from when this was sent.
    package var remaining: Duration
    /// Until it ends at the latest, however often it is renewed.
    package var mostRemaining: Duration
    /// Where the database is, and the name that its certificate must hold.
    package var host: OutsideHost
    package var port: UInt16
    /// What vouches for its certificate, DER.
    package var authorities: [[UInt8]]
    /// Where sessions go whose program names no database.
    package var database: String
    /// The names of the settings that the profile fixes.
    package var settings: [String]

    package init(
        lease: LeaseID,
        remaining: Duration,
        mostRemaining: Duration,
        host: OutsideHost,
        port: UInt16,
        authorities: [[UInt8]],
        database: String,
        settings: [String]
    ) {
        self.lease = lease
        self.remaining = remaining
        self.mostRemaining = mostRemaining
        self.host = host
        self.port = port
        self.authorities = authorities
        self.database = database
        self.settings = settings
    }

    /// The name of the role.
    package var role: String { LeasedRole.name(of: lease.id) }
}

/// The answer to a request about a lease.
package struct AgentLeaseAnswer: Hashable, Sendable {
    /// The request's number.
    package var id: UInt64
    /// The lease as it is now; nil if it was refused, and after a revocation.
    package var account: LeasedAccount?
    /// A stable word, then a sentence; nil if it was done.
    package var error: String?
    /// When to ask again after a refusal, if that makes sense.
    package var retryAfter: Duration?

    package init(
        id: UInt64,
        account: LeasedAccount? = nil,
        error: String? = nil,
        retryAfter: Duration? = nil
    ) {
        self.id = id
        self.account = account
        self.error = error
        self.retryAfter = retryAfter
    }
}

extension AgentLeaseRequest {
    private enum Word: String, CaseIterable { case issue, renew, revoke }

    var document: Document {
        var document = Document.fields(["id": .number(id)])
        switch act {
        case .issue(let port, let profile, let verifier):
            document.set("act", .string(Word.issue.rawValue))
            document.set("port", .number(port))
            document.set("profile", .string(profile.text))
            document.set("verifier", .string(verifier.text))
        case .renew(let lease):
            document.set("act", .string(Word.renew.rawValue))
            document.set("lease", .string(lease.description))
        case .revoke(let lease):
            document.set("act", .string(Word.revoke.rawValue))
            document.set("lease", .string(lease.description))
        }
        return document
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        let id = try reader.required("id").counter()
        let act: Act =
            switch try reader.choice("act", as: Word.self) {
            case .issue:
                .issue(
                    port: try reader.required("port").port(),
                    profile: try reader.required("profile").profileName(),
                    verifier: try reader.required("verifier").scramVerifier()
                )
            case .renew: .renew(try reader.required("lease").leaseID())
            case .revoke: .revoke(try reader.required("lease").leaseID())
            }
        self.init(id: id, act: act)
    }
}

extension LeasedAccount {
    /// The longest life that is believed; the server's own bound is an hour.
    private static let lifetimes: ClosedRange<Duration> = .zero ... .seconds(86_400)

    var document: Document {
        .fields([
            "lease": .string(lease.description),
            "remaining_ms": .number(remaining.wholeMilliseconds),
            "most_remaining_ms": .number(mostRemaining.wholeMilliseconds),
            "host": .string(host.description),
            "port": .number(port),
            "authorities": .list(authorities.map { .string(Base64.encode($0)) }),
            "database": .string(database),
            "settings": .list(settings),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        let most = Int(Self.lifetimes.upperBound.components.seconds) * 1_000
        self.init(
            lease: try reader.required("lease").leaseID(),
            remaining: .milliseconds(try reader.int("remaining_ms", in: 0...most)),
            mostRemaining: .milliseconds(try reader.int("most_remaining_ms", in: 0...most)),
            host: try reader.required("host").outsideHost(),
            port: try reader.required("port").port(),
            authorities: try reader.list("authorities", limit: ExternalTarget.authoritiesMax) {
                certificate throws(FieldError) in
                try certificate.bytes(limit: ExternalTarget.authoritiesMaxBytes)
            },
            database: try reader.string("database", bytes: LeaseTarget.identifierBytes),
            settings: try reader.strings("settings", limit: LeaseProfile.settingsMax)
        )
    }
}

extension AgentLeaseAnswer {
    var document: Document {
        .fields([
            "id": .number(id),
            "account": account.map(\.document),
            "error": error.map { .string($0) },
            "retry_after": retryAfter.map { .duration($0) },
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            id: try reader.required("id").counter(),
            account: try reader.optionalMap("account", LeasedAccount.init(from:)),
            error: try reader.optionalString(
                "error",
                bytes: 1...Acknowledgement.errorMaxBytes
            ),
            retryAfter: try reader.optionalDuration(
                "retry_after",
                in: .zero ... .seconds(86_400)
            )
        )
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds) * 1_000 + max(0, attoseconds) / 1_000_000_000_000_000
    }
}
