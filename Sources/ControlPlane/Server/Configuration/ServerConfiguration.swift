import Mesh
import Observability
import Postgres
import Reactor
import Wire

/// The settings of the control plane after every rule that one setting alone can break.
struct ServerConfiguration: Sendable {
    /// A certificate that the operator brings for the API.
    struct OwnCertificate: Equatable, Sendable {
        let certificateFile: String
        let keyFile: String
    }

    var trustDomain: TrustDomain
    var name: AgentName
    var dataDirectory: String
    var kekFile: String
    var newKEKFile: String?
    var trustKeyFile: String
    var bootstrapTokenFile: String
    /// Nil for the embedded cluster.
    var databaseURL: String?
    /// Nil to look for them.
    var databaseBinaries: String?
    /// Where the embedded cluster listens for dashboards; nil for its socket alone.
    var dashboardAddress: SocketAddress?
    var poolSize: Int
    var statementTimeout: Duration
    var apiAddress: SocketAddress
    var apiNames: [String]
    var apiCertificate: OwnCertificate?
    var agentAddress: SocketAddress
    /// host:port for join tokens; nil for the address that is listened on.
    var advertisedAgentAddress: String?
    var advertisedAPIAddress: String?
    var leafLife: Duration
    var drain: Duration
    var logFormat: LogFormat
    var logLevel: LogLevel

    init(_ settings: ResolvedSettings) throws(SettingsError) {
        trustDomain = try Self.parsed("trust_domain", settings, hint: "example.internal") {
            try? TrustDomain($0)
        }
        name = try Self.parsed("name", settings, hint: "a DNS label such as server-1") {
            try? AgentName($0)
        }
        dataDirectory = try Self.path("data_directory", settings)
        kekFile = try Self.path("keys.kek_file", settings)
        newKEKFile =
            settings.text("keys.new_kek_file").isEmpty
            ? nil : try Self.path("keys.new_kek_file", settings)
        trustKeyFile = try Self.path("keys.trust_key_file", settings)
        bootstrapTokenFile = try Self.path("keys.bootstrap_token_file", settings)
        databaseURL = try Self.databaseURL(settings)
        databaseBinaries = Self.optional(settings.text("database.binaries"))
        dashboardAddress = try Self.dashboardAddress(settings)
        poolSize = settings.integer("database.pool_size")
        statementTimeout = settings.duration("database.statement_timeout")
        apiAddress = try Self.address("api.listen", settings)
        apiNames = settings.list("api.names")
        apiCertificate = try Self.ownCertificate(settings)
        agentAddress = try Self.address("agents.listen", settings)
        advertisedAgentAddress = Self.optional(settings.text("agents.advertise"))
        advertisedAPIAddress = Self.optional(settings.text("agents.advertise_api"))
        leafLife = settings.duration("leaves.ttl")
        drain = settings.duration("shutdown.drain")
        logFormat = settings.text("log.format") == "json" ? .json : .text
        logLevel = Self.level(settings.text("log.level"))
    }

    /// Checked here, so that `--check-config` names a remote host without verification too.
    private static func databaseURL(
        _ settings: ResolvedSettings
    ) throws(SettingsError) -> String? {
        guard let text = optional(settings.text("database.url")) else { return nil }
        do throws(DatabaseURLError) {
            _ = try DatabaseURL(parsing: text)
        } catch {
            throw settings.error(
                "database.url",
                "\(error)",
                hint: "write postgresql://USER@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE"
            )
        }
        return text
    }

    private static func optional(_ text: String) -> String? { text.isEmpty ? nil : text }

    private static func parsed<Value>(
        _ key: String,
        _ settings: ResolvedSettings,
        hint: String,
        _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value {
        guard let value = parse(settings.text(key)) else {
            throw settings.error(key, "\(key) is malformed", hint: "write it like \(hint)")
        }
        return value
    }

    private static func path(
        _ key: String,
        _ settings: ResolvedSettings
    ) throws(SettingsError) -> String {
        try parsed(key, settings, hint: "an absolute path") { $0.hasPrefix("/") ? $0 : nil }
    }

    private static func address(
        _ key: String,
        _ settings: ResolvedSettings
    ) throws(SettingsError) -> SocketAddress {
        try parsed(key, settings, hint: "127.0.0.1:7400") { text in
            guard let address = SocketAddress(text), address.port != nil else { return nil }
            return address
        }
    }

    private static func dashboardAddress(
        _ settings: ResolvedSettings
    ) throws(SettingsError) -> SocketAddress? {
        let key = "database.dashboard_listen"
        guard !settings.text(key).isEmpty else { return nil }
        guard settings.text("database.url").isEmpty else {
            throw settings.error(
                key,
                "\(key) is for the embedded database",
                hint: "on a database of your own, grant turnpike_dashboard to a login role"
            )
        }
        return try parsed(key, settings, hint: "127.0.0.1:7432, on loopback only") { text in
            guard let address = SocketAddress(text), address.isLoopback, let port = address.port,
                port != 0
            else { return nil }
            return address
        }
    }

    private static func ownCertificate(
        _ settings: ResolvedSettings
    ) throws(SettingsError) -> OwnCertificate? {
        let certificate = settings.text("api.certificate_file")
        let key = settings.text("api.key_file")
        if certificate.isEmpty && key.isEmpty { return nil }
        guard !certificate.isEmpty, !key.isEmpty else {
            throw settings.error(
                certificate.isEmpty ? "api.key_file" : "api.certificate_file",
                "a certificate of your own needs both files",
                hint: "set api.certificate_file and api.key_file"
            )
        }
        return OwnCertificate(certificateFile: certificate, keyFile: key)
    }

    private static func level(_ text: String) -> LogLevel {
        switch text {
        case "debug": .debug
        case "warning": .warning
        case "error": .error
        default: .info
        }
    }
}
