import Crypto
import Mesh
package import Observability
package import Reactor
import Snapshot
import TLS
import Transport
import Wire

/// The agent's control side: restores what is on disk, follows its servers, renews certificates
/// and delivers evidence.
///
/// Everything happens on one reactor that moves no traffic. Files are read and synced right there,
/// so that nothing overtakes a snapshot on its way to disk. Without servers it only restores and
/// enforces, which is also what an outage looks like.
package actor Subscription: ReactorBound {
    package nonisolated let reactor: Reactor

    let folder: AgentFolder
    let settings: SubscriptionSettings
    let dataPlane: DataPlane
    let resolver: WorkerPool
    let logger: Logger
    let metrics: SubscriptionMetrics
    let snapshots: SnapshotFolder
    let leaves: LeafFolder

    let enrolment: AgentEnrolment
    let servers: [String]
    var trust: TrustAnchor
    var roots: MeshRoots
    var trustedRoots: TrustedRoots
    var snapshot: ValidatedSnapshot?
    var subscriber: Subscriber?
    var renewals = RenewalMachine()
    /// How close certificates were to their end when they were last looked at.
    var zones: [CertificateSubject: RenewalSchedule.Zone] = [:]
    var identities: [ServiceName: ServiceIdentity] = [:]
    var keysUnderWay: [UInt64: SigningKey] = [:]
    var spool: EvidenceSpool
    var evidenceInFlight: UInt64?
    var leaseBook = LeaseBook()

    var connection: StreamConnection?
    var connectedServer: String?
    var outbox: [[UInt8]] = []
    var outboxByteCount = 0
    var isSending = false
    var linkTask: Task<Void, Never>?
    var tickTask: Task<Void, Never>?
    var enforcing: Task<Void, Never>?
    var isStopping = false

    /// What is known of instances and hosts, as the data path has it.
    var health = HealthView()
    var prober: HealthProber?
    /// Where the names of external targets lead, and the threads that ask.
    var outsideNames = OutsideNames()
    var outsideAddresses = OutsideAddresses()
    /// Names that the latest look-up did not find, each logged once.
    var unresolvedNames: Set<HostName> = []
    /// The host's own addresses, and when they were read, while there is an external target.
    var ownAddresses: Set<Mesh.IPAddress>?
    var ownAddressesReadAt: ContinuousClock.Instant?
    var outsidePool: WorkerPool?
    var ticksWithoutServer = 0

    var isEnforced = false
    var lastContact: Timestamp?
    var lastRefusal: (reason: String, at: Timestamp)?
    var linkProblem: String?
    var ticksToStatus = 0
    var ticksToPing = 0
    var pingNumber: UInt64 = 0
    var hasWarnedExpired = false

    /// Reads the data directory; nothing is enforced and nobody is called before `start`.
    ///
    /// On the reactor's thread or before it runs. Throws when the directory holds no enrolled
    /// agent or no usable trust document; a lost snapshot is no error.
    package init(
        folder: AgentFolder,
        settings: SubscriptionSettings,
        dataPlane: DataPlane,
        reactor: Reactor,
        resolver: WorkerPool,
        metrics: MetricRegistry,
        logger: Logger
    ) throws(SubscriptionError) {
        self.reactor = reactor
        self.folder = folder
        self.settings = settings
        self.dataPlane = dataPlane
        self.resolver = resolver
        self.metrics = SubscriptionMetrics(metrics)
        snapshots = SnapshotFolder(folder)
        leaves = LeafFolder(folder)
        let enrolment = try Self.enrolment(in: folder)
        self.enrolment = enrolment
        self.logger = logger.with(["agent": .text(enrolment.agent.text)])
        servers = settings.servers.isEmpty ? enrolment.servers : settings.servers
        let (restored, faults) = snapshots.restore(
            agent: enrolment.agent,
            trustDomain: enrolment.trustDomain,
            now: settings.now()
        )
        guard let trust = restored.trust else {
            throw .trustLost(file: folder.trustPath, problem: faults.joined(separator: "; "))
        }
        self.trust = trust
        trustedRoots = TrustedRoots(trust.document)
        roots = try Self.roots(of: trust, file: folder.trustPath)
        snapshot = restored.snapshot?.value
        do throws(FileError) {
            spool = try EvidenceSpool(
                in: EvidenceFolder(folder),
                agent: enrolment.agent,
                byteCountMax: settings.evidenceByteCountMax
            )
        } catch {
            throw .file(error)
        }
        for fault in faults + spool.faults {
            self.logger.warning("the data directory is damaged", ["fault": .text(fault)])
        }
        if let fault = faults.first { lastRefusal = ("on disk: \(fault)", settings.now()) }
        if let named = restored.snapshot?.sections { snapshots.collect(keeping: Set(named.keys)) }
        guard !servers.isEmpty else { return }
        subscriber = Subscriber(
            agent: enrolment.agent,
            software: settings.software,
            meshAddress: settings.meshAddress,
            trust: trust,
            mark: restored.mark,
            restored: restored.snapshot,
            serverCount: servers.count
        )
    }

    /// Enforces what was restored, then follows the servers; returns when the former is done.
    package func start() async {
        readOwnCertificate()
        // The data path may still have what an earlier one knew of hosts and instances.
        await dataPlane.apply(health)
        await dataPlane.apply(outsideAddresses)
        if let snapshot { await enforceFirst(snapshot) }
        tickTask = Task { await self.tickUntilStopped() }
        let share = settings.jitter()
        let first = Int(share * Double(max(1, servers.count)))
        await perform(subscriber?.started(firstServer: first) ?? [])
    }

    /// Writes the last evidence, sends what a quick server takes, and lets go of the server.
    package func stop() async {
        guard !isStopping else { return }
        isStopping = true
        tickTask?.cancel()
        prober?.stop()
        // Its threads may wait for name servers; nobody waits for them.
        outsidePool = nil
        collectEvidence(isEnding: true)
        sendOldestEvidence()
        await flushOutbox()
        send(.refusal(StreamRefusal(code: StreamRefusal.stopping, text: "the agent ends")))
        await flushOutbox()
        linkTask?.cancel()
        await connection?.close()
        connection = nil
    }

    private func enforceFirst(_ snapshot: ValidatedSnapshot) async {
        for action in renewals.placed(snapshot.servicesWithLeaf) { perform(action) }
        forgetLeaves(except: snapshot.servicesWithLeaf)
        readLeaves(of: snapshot.servicesWithLeaf)
        await enforce()
        logger.info(
            "enforcing the snapshot on disk",
            [
                "revision": .integer(snapshot.revision),
                "expires": .text(snapshot.expires.rfc3339),
            ]
        )
    }

    private static func enrolment(
        in folder: AgentFolder
    ) throws(SubscriptionError) -> AgentEnrolment {
        do {
            guard let bytes = try AgentFolder.readIfPresent(folder.enrolmentPath) else {
                throw EnrolmentError.notEnrolled(directory: folder.path)
            }
            return try AgentEnrolment(encoded: bytes, source: folder.enrolmentPath)
        } catch let error as EnrolmentError {
            throw .enrolment(error)
        } catch let error as FileError {
            throw .file(error)
        } catch {
            throw .enrolment(.unreadable(file: folder.enrolmentPath, problem: "\(error)"))
        }
    }

    static func roots(
        of trust: TrustAnchor,
        file: String
    ) throws(SubscriptionError) -> MeshRoots {
        do throws(CryptoError) {
            return try MeshRoots(
                certificates: trust.document.authorities.map(\.certificate),
                trustDomain: trust.document.trustDomain
            )
        } catch {
            throw .trustLost(file: file, problem: "a root: \(error)")
        }
    }
}

/// Why the control side cannot begin.
package enum SubscriptionError: Error, Equatable, Sendable, CustomStringConvertible {
    case enrolment(EnrolmentError)
    case trustLost(file: String, problem: String)
    case file(FileError)

    package var description: String {
        switch self {
        case .enrolment(let error): error.description
        case .trustLost(let file, let problem):
            "\(file): no usable trust document\(problem.isEmpty ? "" : " (\(problem))"); without"
                + " it nobody can be trusted: run `turnpike agent invite NAME` and"
                + " `turnpike-agent join` again"
        case .file(let error): error.description
        }
    }
}
