import DataPlane
import Observability
import Reactor
import Wire

/// The agent's settings after every rule that one setting alone can break.
struct AgentConfiguration: Sendable {
    let dataDirectory: String
    let servers: [String]
    let meshAddress: SocketAddress
    /// `host:port` that other agents are told; nil where the listen address names no host.
    let advertisedAddress: String?
    let upstreamAddress: SocketAddress
    let statusAddress: SocketAddress
    /// Nil for one per CPU.
    let reactorCount: Int?
    let connectionsMax: Int
    let handshakeTimeout: Duration
    let connectTimeout: Duration
    let idleTimeout: Duration?
    let drainTimeout: Duration
    let evidenceByteCountMax: ByteCount
    /// None: what the control group allows.
    let memoryLimit: ByteCount?
    let logFormat: LogFormat
    let logLevel: LogLevel

    init(_ settings: ResolvedSettings) throws(SettingsError) {
        dataDirectory = settings.text("data_directory")
        guard dataDirectory.hasPrefix("/") else {
            throw settings.error(
                "data_directory",
                "this is no absolute path",
                hint: "write it like /var/lib/turnpike-agent"
            )
        }
        servers = settings.list("servers")
        for server in servers where !Self.isServer(server) {
            throw settings.error("servers", "one is no host:port", hint: "control.example:7401")
        }
        meshAddress = try Self.address("mesh.listen", settings, hint: "0.0.0.0:7443")
        let advertise = settings.text("mesh.advertise")
        guard advertise.isEmpty || Self.isServer(advertise) else {
            throw settings.error("mesh.advertise", "this is no host:port", hint: "10.0.0.5:7443")
        }
        advertisedAddress = advertise.isEmpty ? nil : advertise
        guard let upstream = IPAddress(settings.text("upstreams.address")), upstream.isLoopback
        else {
            throw settings.error(
                "upstreams.address",
                "this is no loopback address",
                hint: "127.0.0.1; upstream ports serve programs of this host only"
            )
        }
        upstreamAddress = .ip(upstream, port: 0)
        statusAddress = try Self.address("status.listen", settings, hint: "127.0.0.1:7410")
        guard statusAddress.isLoopback, statusAddress.ipAddress != nil else {
            throw settings.error(
                "status.listen",
                "this is no loopback address",
                hint: "127.0.0.1:7410; to collect metrics from afar run a collector on the host"
            )
        }
        let count = settings.integer("limits.reactors")
        reactorCount = count == 0 ? nil : count
        connectionsMax = settings.integer("limits.connections")
        handshakeTimeout = settings.duration("limits.handshake_timeout")
        connectTimeout = settings.duration("limits.connect_timeout")
        let idle = settings.duration("limits.idle_timeout")
        idleTimeout = idle == .zero ? nil : idle
        drainTimeout = settings.duration("limits.drain")
        evidenceByteCountMax = settings.byteCount("limits.evidence")
        let memory = settings.byteCount("limits.memory")
        memoryLimit = memory.bytes == 0 ? nil : memory
        logFormat = LogFormat(rawValue: settings.text("log.format")) ?? .text
        logLevel = LogLevel(rawValue: settings.text("log.level")) ?? .info
    }

    private static func address(
        _ key: String,
        _ settings: ResolvedSettings,
        hint: String
    ) throws(SettingsError) -> SocketAddress {
        guard let address = SocketAddress(settings.text(key)), address.ipAddress != nil else {
            throw settings.error(key, "this is no address with a port", hint: hint)
        }
        return address
    }

    private static func isServer(_ text: String) -> Bool {
        guard text.utf8.count <= 261, let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), port != 0
        else { return false }
        let host = text[..<colon]
        return !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}

extension AgentConfiguration {
    /// Reads file, environment and flags.
    static func read(
        file: String?,
        arguments: [String],
        environment: [String: String]
    ) throws(StartFailure) -> (AgentConfiguration, ResolvedSettings) {
        var document: Document?
        if let file {
            let bytes: [UInt8]
            do throws(FileError) {
                bytes = try FileSystem.read(file, byteCountMax: 1 << 20, followsLinks: true)
            } catch {
                throw .configuration(error.description)
            }
            do throws(DocumentError) {
                document = try YAML.parseSingle(bytes, source: file)
            } catch {
                throw .configuration(error.description)
            }
        }
        do throws(SettingsError) {
            let settings = try SettingsTable.agent.resolve(
                file: document,
                fileName: file ?? "",
                arguments: arguments,
                environment: environment
            )
            return (try AgentConfiguration(settings), settings)
        } catch {
            throw .configuration(error.description)
        }
    }

    /// What the data path is told; `descriptorLimit` is the process's.
    func dataPlaneSettings(descriptorLimit: UInt64) -> DataPlaneSettings {
        var settings = DataPlaneSettings(
            meshAddress: meshAddress,
            upstreamAddress: upstreamAddress
        )
        settings.connectionsMax = connections(within: descriptorLimit)
        settings.memoryLimit = memoryLimit?.bytes ?? ControlGroupMemory.limit()
        settings.handshakeTimeout = handshakeTimeout
        settings.connectTimeout = connectTimeout
        settings.idleTimeout = idleTimeout
        settings.drainTimeout = drainTimeout
        return settings
    }

    /// The connections that leave descriptors for everything else, two for each connection.
    ///
    /// Without the rest no new snapshot, certificate or evidence could be brought to disk, and
    /// whoever opens enough connections would keep an old policy in force.
    func connections(within descriptorLimit: UInt64) -> Int {
        let limit = Int(clamping: descriptorLimit)
        let reserve = min(Self.descriptorReserveMax, limit / 2)
        return max(1, min(connectionsMax, (limit - reserve) / 2))
    }

    /// Files, listeners, the servers' stream and the status endpoint.
    private static let descriptorReserveMax = 512
}

/// Why the program ends before it did anything.
enum StartFailure: Error, Equatable, CustomStringConvertible {
    /// The command line itself.
    case usage(String)
    case configuration(String)
    case work(String)

    var description: String {
        switch self {
        case .usage(let text), .configuration(let text), .work(let text): text
        }
    }

    /// 2 for what the caller wrote, 1 for what happened.
    var exitCode: Int32 {
        switch self {
        case .usage, .configuration: 2
        case .work: 1
        }
    }
}
