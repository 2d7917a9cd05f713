package import Mesh
package import Observability
package import Postgres
package import Store
import Synchronization
package import Wire

/// One open replica of the control plane: what every room stands on.
///
/// Rooms are values that it hands out (`tokens`, `policies`, `audit` …), each in an extension of
/// its own file. Calls may come from any task.
package final class ControlPlane: Sendable {
    package let pool: PostgresPool
    package let spine: Spine
    package let keyring: Keyring
    /// Tags and checks rows that grant.
    package let rowGuard: RowGuard
    package let cluster: ClusterRow
    package let serverName: Mesh.ServerName
    /// The version of the program, for people.
    package let version: String
    package let surroundings: Surroundings

    let alarms: RowAlarms
    let refusals = RefusalCounter()
    let denials = RecentDenials()
    let principals = PrincipalCache()
    let lookups = LookupGate()
    /// Of those who ask for something without a token, such as a login: a place may be held as long as
    /// an issuer takes to answer, which leaves those alone who have a token.
    let strangers = LookupGate()
    let probe = DatabaseProbe()
    let loginRecords = LoginRecords()
    /// What asks servers of other people.
    let outside: OutsideServers
    /// The keys that issuers of tokens publish.
    let keySets: KeySets
    /// What stretches the passwords of logins.
    let passwords: Passwords
    /// Reads of secrets that share commits.
    let secretReads: Secrets.Reads
    /// What works on leases.
    package let leaseDesk: LeaseDesk
    /// Requests that wait for agents at this moment.
    let enforcementWaiters = Mutex(0)

    init(
        spine: Spine,
        keyring: Keyring,
        settings: ControlSettings,
        surroundings: Surroundings
    ) {
        pool = spine.pool
        self.spine = spine
        self.keyring = keyring
        cluster = keyring.cluster
        serverName = settings.serverName
        version = settings.version
        self.surroundings = surroundings
        let alarms = RowAlarms(logger: surroundings.logger, metrics: surroundings.metrics)
        self.alarms = alarms
        rowGuard = keyring.rowGuard { alarms.raise($0) }
        outside = OutsideServers(surroundings, on: spine.pool.reactor)
        keySets = KeySets(surroundings, outside)
        passwords = Passwords(surroundings)
        secretReads = Secrets.Reads(
            on: spine.pool.reactor,
            requestsMax: Secrets.readsPerRound
        )
        leaseDesk = LeaseDesk(
            settings: settings.leases,
            worker: surroundings.makeID(surroundings.now()),
            sessions: TargetSessions(
                settings.leases,
                on: spine.pool.reactor,
                random: surroundings.fraction
            ),
            on: spine.pool.reactor
        )
    }

    package var trustDomain: TrustDomain { cluster.trustDomain }
    /// Which cluster this is a replica of.
    package var clusterID: UUIDv7 { cluster.id }
    package var logger: Logger { surroundings.logger }
    package var metrics: MetricRegistry { surroundings.metrics }

    /// The host's wall clock; what must hold between replicas uses the database's instead.
    package func now() -> Timestamp { surroundings.now() }

    /// A new identifier.
    package func makeID() -> UUIDv7 { surroundings.makeID(surroundings.now()) }

    /// This replica as the one who acts.
    package var server: Caller {
        Caller(principal: "server/\(serverName)", displayName: serverName.text)
    }
}

/// What the operator decided about a replica.
package struct ControlSettings: Sendable {
    /// The trust domain of a new cluster; an existing one must have the same.
    package let trustDomain: TrustDomain
    package let serverName: Mesh.ServerName
    /// The version of the program, for people.
    package let version: String
    package let leases: LeaseSettings

    package init(
        trustDomain: TrustDomain,
        serverName: Mesh.ServerName,
        version: String,
        leases: LeaseSettings = LeaseSettings()
    ) {
        self.trustDomain = trustDomain
        self.serverName = serverName
        self.version = version
        self.leases = leases
    }
}
