import API
import Control
import HTTP
import Mesh
import Observability
import Postgres
import Reactor
import TLS
import Transport
import Wire

/// Port 7400: the admin API over TLS, and enrolment under its own server name.
enum APIPort {
    /// So that one client leaves connections to the others.
    private static let connectionsPerSourceMax = 1_024

    /// What the API needs of the rooms below.
    static func services(
        _ control: ControlPlane,
        _ distribution: Distribution,
        isStopping: @escaping @Sendable () -> Bool
    ) -> APIServices {
        var services = APIServices(control)
        services.waitEnforced = { revision, timeout in
            do throws(ControlError) {
                let report = try await control.enforcement.wait(for: revision, timeout: timeout)
                return APIServices.Enforcement(
                    revision: report.revision,
                    acknowledged: report.acknowledged.map(\.text),
                    pending: report.pending.map(\.text),
                    isComplete: report.isComplete,
                    elapsed: report.elapsed
                )
            } catch {
                return APIServices.Enforcement(
                    revision: revision,
                    acknowledged: [],
                    pending: [],
                    isComplete: false
                )
            }
        }
        services.metrics = {
            let turn = control.pool.reactor.longestTurn / .milliseconds(1)
            control.metrics.gauge(MetricNames.reactorLongestTurn).set(Int64(turn))
            return control.metrics.prometheusText()
        }
        services.readiness += [
            APIServices.ReadinessCheck("distribution") {
                switch await distribution.condition {
                case .starting: "the configuration is still being read"
                case .publishing: nil
                case .outOfTouch: "the database has been out of touch for too long"
                case .halted(let reason): reason
                }
            },
            APIServices.ReadinessCheck("life") { isStopping() ? "shutting down" : nil },
        ]
        return services
    }

    static func start(
        on address: SocketAddress,
        reactor: Reactor,
        certificates: ServerCertificates,
        workloads: CurrentSVIDVerifier,
        api: APIService,
        logger: Logger
    ) async throws(StartFailure) -> HTTPServer {
        do {
            let context = try TLSContext(
                server: TLSServerConfiguration(
                    credentials: { certificates.apiCredentials(for: $0) },
                    // A workload may show who it is, for logins and tokens that are bound to that. What does
                    // not verify ends the handshake and is nobody.
                    clientCertificate: .optional,
                    verifier: { workloads.current($0) },
                    applicationProtocols: ["http/1.1"],
                    signatures: .ecdsaOrRSA
                )
            )
            var configuration = HTTPServerConfiguration(security: context)
            configuration.connectionLimits.connectionCountMax = ServerProcess.descriptorLimit / 4
            configuration.connectionLimits.connectionsPerSourceMax = connectionsPerSourceMax
            configuration.bodyByteCountMax = { api.bodyByteCountMax(of: $0) }
            configuration.observe = { event in
                logger.debug("api", ["event": .text("\(event)")])
            }
            return try await HTTPServer.start(
                on: address,
                reactors: [reactor],
                configuration: configuration
            ) { request in await api.handle(request) }
        } catch {
            throw .work("the API's port \(address): \(error)")
        }
    }
}
