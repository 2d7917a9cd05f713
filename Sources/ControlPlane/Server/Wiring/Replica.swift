import API
import Control
import Crypto
import Mesh
import Observability
import Postgres
import Reactor
import Synchronization
import Transport
import Wire

/// One running replica of the control plane: database, rooms and ports, in the order of need.
final class Replica: Sendable {
    let apiAddress: SocketAddress
    let agentAddress: SocketAddress
    /// The certificate that `TURNPIKE_CACERT` needs; nil where the operator brings their own.
    let apiAuthorityFile: String?
    let control: ControlPlane
    private let configuration: ServerConfiguration
    private let database: Database
    private let api: HTTPServer
    private let agents: StreamServer
    private let following: Task<Void, Never>
    private let chores: [Task<Void, Never>]
    private let logger: Logger

    private init(
        _ configuration: ServerConfiguration,
        _ control: ControlPlane,
        _ database: Database,
        _ api: HTTPServer,
        _ agents: StreamServer,
        apiAuthorityFile: String?,
        following: Task<Void, Never>,
        chores: [Task<Void, Never>],
        stopping: @escaping @Sendable () -> Void,
        logger: Logger
    ) {
        self.configuration = configuration
        self.control = control
        self.database = database
        self.api = api
        self.agents = agents
        self.apiAuthorityFile = apiAuthorityFile
        self.following = following
        self.chores = chores
        self.stopping = stopping
        self.logger = logger
        apiAddress = api.localAddress
        agentAddress = agents.localAddress
    }

    private let stopping: @Sendable () -> Void

    static func start(
        _ configuration: ServerConfiguration,
        logger: Logger,
        on reactor: Reactor
    ) async throws(StartFailure) -> Replica {
        do throws(FileError) {
            // The embedded database runs as a user of its own when this is root: it must get through
            // to its files, each of which is closed to others by its own mode.
            let isShared = ProcessLimits.effectiveUser == 0 && configuration.databaseURL == nil
            try FileSystem.makeDirectory(
                configuration.dataDirectory,
                mode: isShared ? 0o711 : 0o700
            )
        } catch {
            throw .work("data_directory: \(error)")
        }
        let database = try await Database.start(configuration, logger: logger, on: reactor)
        do throws(StartFailure) {
            return try await start(configuration, database, logger, reactor)
        } catch {
            await database.stop()
            throw error
        }
    }

    private static func start(
        _ configuration: ServerConfiguration,
        _ database: Database,
        _ logger: Logger,
        _ reactor: Reactor
    ) async throws(StartFailure) -> Replica {
        let control = try await openControl(configuration, database.pool, logger)
        try await addKey(SecretFiles(configuration: configuration), control, logger)
        let authority: Authority
        do throws(Control.StartError) {
            authority = try await Authority.open(control)
        } catch {
            throw .work(error.description)
        }
        let enrolment = Enrolment(control, authority)
        let certificates = try await ServerCertificates(
            enrolment.issuance,
            configuration,
            trustDomain: control.trustDomain
        )
        let authorityFile = try writeAuthority(authority, configuration)
        let distribution = Distribution(
            control: control,
            services: AgentPort.services(control, enrolment, authority),
            on: reactor
        )
        let stopFlag = StopFlag()
        let services = APIPort.services(control, distribution) { stopFlag.isSet }
        let agents = try await AgentPort.start(
            on: configuration.agentAddress,
            reactor: reactor,
            certificates: certificates,
            authority: authority,
            trustDomain: control.trustDomain,
            distribution: distribution,
            logger: logger
        )
        let table = AllRoutes.table(
            control: control,
            mesh: MeshRooms(control, authority),
            services: services,
            version: Program.version
        )
        let api = try await APIPort.start(
            on: configuration.apiAddress,
            reactor: reactor,
            certificates: certificates,
            workloads: CurrentSVIDVerifier(authority, control.trustDomain, below: "ns"),
            api: APIService(table, services: services),
            logger: logger
        )
        do throws(ControlError) {
            try await control.announce(
                apiAddress: configuration.advertisedAPIAddress ?? "\(api.localAddress)",
                agentAddress: configuration.advertisedAgentAddress ?? "\(agents.localAddress)"
            )
        } catch {
            throw .work(error.description)
        }
        return Replica(
            configuration,
            control,
            database,
            api,
            agents,
            apiAuthorityFile: authorityFile,
            following: Task(executorPreference: reactor) { await distribution.run() },
            chores: [
                Task(executorPreference: reactor) {
                    await certificates.renew(on: reactor, logger: logger)
                },
                Task(executorPreference: reactor) { await keepHouse(control, reactor) },
                Task(executorPreference: reactor) {
                    // At most a fraction of a second late.
                    await control.leaseWork.run(every: .milliseconds(250))
                },
                Task(executorPreference: reactor) { await sweepLeases(control, reactor) },
                Task(executorPreference: reactor) { await countSecrets(control, reactor) },
                Task(executorPreference: reactor) {
                    await follow(authority, control, reactor)
                },
            ],
            stopping: { stopFlag.set() },
            logger: logger
        )
    }

    /// Says that it takes requests.
    func announce() {
        logger.info(
            "ready",
            ["api": .describing(apiAddress), "agents": .describing(agentAddress)]
        )
        ServerProcess.notify(.ready)
    }

    /// Refuses new work, lets requests in service finish, ends the database last.
    func stop() async {
        ServerProcess.notify(.stopping)
        stopping()
        logger.info("draining", ["for": .duration(configuration.drain)])
        await api.drain(grace: configuration.drain)
        following.cancel()
        for chore in chores { chore.cancel() }
        await agents.drain(grace: .seconds(2))
        await following.value
        for chore in chores { await chore.value }
        await control.leaseDesk.close()
        await database.stop()
        logger.info("ended")
    }

    /// Opens the control plane on a migrated database, founding it where there is none.
    static func openControl(
        _ configuration: ServerConfiguration,
        _ pool: PostgresPool,
        _ logger: Logger
    ) async throws(StartFailure) -> ControlPlane {
        let files = SecretFiles(configuration: configuration)
        let isFounded: Bool
        do throws(Control.StartError) {
            isFounded = try await ControlPlane.isFounded(pool, logger: logger)
        } catch {
            throw .work(error.description)
        }
        let key = try files.keyEncryptionKey(mayCreate: !isFounded)
        guard let name = try? Mesh.ServerName(configuration.name.text) else {
            throw .usage("name: write a DNS label such as server-1")
        }
        do throws(Control.StartError) {
            return try await ControlPlane.open(
                ControlSettings(
                    trustDomain: configuration.trustDomain,
                    serverName: name,
                    version: Program.version,
                    leases: leaseSettings(configuration)
                ),
                pool: pool,
                key: key,
                surroundings: Surroundings(
                    now: { Console.now },
                    instant: { ContinuousClock.now },
                    randomBytes: Randomness.bytes,
                    logger: logger,
                    metrics: MetricRegistry()
                ),
                firstStart: FirstStart(
                    steps: [AuthorityFounding(writeTrustKey: files.writeTrustKey).step],
                    writeBootstrapToken: { token in
                        try files.writeBootstrapToken(token)
                        logger.info(
                            "the first administrator's token was written",
                            ["file": .text(configuration.bootstrapTokenFile)]
                        )
                    }
                )
            )
        } catch {
            throw .work(error.description)
        }
    }

    private static func leaseSettings(_ configuration: ServerConfiguration) -> LeaseSettings {
        var settings = LeaseSettings()
        settings.directory = configuration.dataDirectory + "/targets"
        return settings
    }

    /// Lets the successor of the key-encryption key open the database as well, if one is named.
    private static func addKey(
        _ files: SecretFiles,
        _ control: ControlPlane,
        _ logger: Logger
    ) async throws(StartFailure) {
        guard let key = try files.newKeyEncryptionKey() else { return }
        do throws(ControlError) {
            let isNew = try await control.addKeyEncryptionKey(key)
            logger.info(
                "the new key-encryption key opens this database too: make it keys.kek_file",
                ["kek": .text(key.id), "new": .text(isNew ? "yes" : "no")]
            )
        } catch {
            throw .work("keys.new_kek_file: \(error.description)")
        }
    }

    /// The API's root, for `TURNPIKE_CACERT`.
    private static func writeAuthority(
        _ authority: Authority,
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> String? {
        if configuration.apiCertificate != nil { return nil }
        let file = configuration.dataDirectory + "/api-ca.pem"
        do throws(FileError) {
            try FileSystem.replace(
                file,
                with: Array(authority.apiRoot.certificate.pem.utf8),
                mode: 0o644
            )
        } catch {
            throw .work("\(error)")
        }
        return file
    }

    /// Looks after the authority: reads again what other replicas may have changed of the authority.
    private static func follow(
        _ authority: Authority,
        _ control: ControlPlane,
        _ reactor: Reactor
    ) async {
        authority.watchLives(control)
        while true {
            do throws(CancellationError) {
                try await reactor.sleep(for: .seconds(60))
            } catch {
                return
            }
            await authority.refresh(control)
            authority.watchLives(control)
            do throws(ControlError) {
                try await Rotations(control, authority).renewIntermediate()
            } catch {
                control.logger.error(
                    "the intermediate was not renewed",
                    ["error": .describing(error)]
                )
            }
        }
    }

    /// Compares leases with the roles of their targets.
    private static func sweepLeases(_ control: ControlPlane, _ reactor: Reactor) async {
        while true {
            do throws(CancellationError) {
                try await reactor.sleep(for: .seconds(30))
            } catch {
                return
            }
            await control.targetRotations.runDue()
            try? await control.leaseSweep.runDue()
        }
    }

    /// Compares all secrets with the account of them, at the start and every hour.
    private static func countSecrets(_ control: ControlPlane, _ reactor: Reactor) async {
        while true {
            do throws(ControlError) {
                if try await !control.secrets.verify() {
                    control.logger.error("secrets vanished or came back behind the server's back")
                }
            } catch {
                control.logger.error("the secrets were not counted", ["error": .describing(error)])
            }
            do throws(CancellationError) {
                try await reactor.sleep(for: .seconds(3_600))
            } catch {
                return
            }
        }
    }

    /// Shows signs of life and writes counted refusals into the audit trail.
    private static func keepHouse(_ control: ControlPlane, _ reactor: Reactor) async {
        while true {
            do throws(CancellationError) {
                try await reactor.sleep(for: .seconds(5))
            } catch {
                return
            }
            try? await control.keepHouse()
        }
    }
}

/// Set once, read from anywhere.
private final class StopFlag: Sendable {
    private let flag = Mutex(false)

    var isSet: Bool { flag.withLock { $0 } }

    func set() { flag.withLock { $0 = true } }
}
