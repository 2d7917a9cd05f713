import Control
import Mesh
import Snapshot
import Support
import Testing
import Wire

/// What agents are given of upstream ports that lease for their programs.
@Suite struct PostgresUpstreamTests {
    private static func compiler() throws -> SectionCompiler {
        var resources = try SmallMesh.resources()
        let database = try ServiceName("shop/orders-db")
        resources += [
            .service(ServiceResource(service: Service(name: database))),
            .upstream(
                Upstream(
                    agent: try AgentName("host-a"),
                    source: try ServiceName("shop/web"),
                    destination: database,
                    port: 15_433,
                    postgres: PostgresAccess(profile: try ProfileName("reader"), isStrict: true)
                )
            ),
        ]
        return SectionCompiler(
            trustDomain: try TrustDomain(SmallMesh.trustDomain),
            configuration: Configuration(
                resources: resources,
                agents: try SmallMesh.addresses()
            )
        )
    }

    private static func contents(
        _ compiler: inout SectionCompiler
    ) throws -> (ports: [Upstream], judged: Set<String>) {
        var ports: [Upstream] = []
        var judged: Set<String> = []
        for section in compiler.sections(of: try AgentName("host-a")) ?? [] {
            switch try SectionContent(encoded: section.bytes) {
            case .upstreams(let section): ports = section.upstreams
            case .inbound(let section): judged.insert(section.service.description)
            default: break
            }
        }
        return (ports, judged)
    }

    @Test func theAgentGetsTheRulesOfADestinationThatItDoesNotHost() throws {
        var compiler = try Self.compiler()
        let (ports, judged) = try Self.contents(&compiler)
        #expect(ports.map(\.port) == [15_432, 15_433])
        #expect(ports.last?.postgres?.isStrict == true)
        #expect(judged == ["shop/web", "shop/orders-db"])
        // A rule about it concerns the agent, although nobody hosts it.
        let rule = try SmallMesh.rule("shop/web", "shop/*", .allow)
        let changed = compiler.apply([
            .intention(destination: rule.destination, source: rule.source, rule)
        ])
        #expect(changed.contains(try AgentName("host-a")))
        #expect(compiler.configuration.judges(of: try ServiceName("shop/db")).isEmpty)
    }

    /// Bytes as they are would be another thing than what was asked for.
    @Test func anOlderAgentGetsNothingOfThePortLoudly() throws {
        var compiler = try Self.compiler()
        _ = compiler.understands([.traffic, .revocations, .external], try AgentName("host-a"))
        let (ports, _) = try Self.contents(&compiler)
        #expect(ports.map(\.port) == [15_432])
        let faults = compiler.takeFaults()
        #expect(faults.first?.reason.contains("too old to speak PostgreSQL") == true)
    }
}
