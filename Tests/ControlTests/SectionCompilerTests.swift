import Control
import Mesh
import Snapshot
import Testing
import Wire

/// A small mesh: `web` on host-a reaches `db` on host-b and host-c.
enum SmallMesh {
    static let trustDomain = "example.org"

    static func resources() throws -> [Resource] {
        let web = try ServiceName("shop/web")
        let database = try ServiceName("shop/db")
        let (hostA, hostB, hostC) = (
            try AgentName("host-a"), try AgentName("host-b"), try AgentName("host-c")
        )
        return [
            .service(
                ServiceResource(
                    service: Service(name: web),
                    placements: [Placement(service: web, agent: hostA)],
                    upstreams: [
                        Upstream(
                            agent: hostA,
                            source: web,
                            destination: database,
                            port: 15_432,
                            users: .only([1000])
                        )
                    ]
                )
            ),
            .service(
                ServiceResource(
                    service: Service(name: database),
                    placements: [hostB, hostC].map { Placement(service: database, agent: $0) },
                    instances: [hostB, hostC].map {
                        Instance(service: database, agent: $0, name: .ofPort(5432), port: 5432)
                    }
                )
            ),
            .intention(try rule("shop/web", "shop/db", .allow)),
            .intention(try rule("*", "shop/*", .deny)),
            .intention(try rule("*", "other/thing", .allow)),
        ]
    }

    static func addresses() throws -> [AgentName: MeshAddress?] {
        [
            try AgentName("host-a"): try MeshAddress("192.0.2.1:7443"),
            try AgentName("host-b"): try MeshAddress("[2001:db8::2]:7443"),
            try AgentName("host-c"): nil,
        ]
    }

    static func rule(
        _ source: String,
        _ destination: String,
        _ action: Verdict
    ) throws -> Intention {
        let source = try ServicePattern(source)
        let destination = try ServicePattern(destination)
        return Intention(
            id: try RuleID(
                "\(source)-\(destination)".map { $0.isLetter ? $0 : "_" }.reduce("") {
                    "\($0)\($1)"
                }
            ),
            source: source,
            destination: destination,
            effect: .action(action)
        )
    }

    static func compiler() throws -> SectionCompiler {
        SectionCompiler(
            trustDomain: try TrustDomain(trustDomain),
            configuration: Configuration(resources: try resources(), agents: try addresses())
        )
    }
}

@Suite struct SectionCompilerTests {
    private func names(_ sections: [EncodedSection]?) -> [String] {
        (sections ?? []).map { "\($0.reference.kind.rawValue) \($0.reference.name)" }
    }

    private func content(
        _ kind: SectionKind,
        _ name: String,
        of agent: String,
        in compiler: inout SectionCompiler
    ) throws -> SectionContent {
        let sections = try #require(compiler.sections(of: try AgentName(agent)))
        let section = try #require(
            sections.first { $0.reference.kind == kind && $0.reference.name == name }
        )
        return try SectionContent(encoded: section.bytes)
    }

    @Test func anAgentGetsWhatItHostsAndWhatItReaches() throws {
        var compiler = try SmallMesh.compiler()
        #expect(
            names(compiler.sections(of: try AgentName("host-a")))
                == ["endpoints shop/db", "hosted host-a", "inbound shop/web", "upstreams host-a"]
        )
        #expect(
            names(compiler.sections(of: try AgentName("host-b")))
                == ["hosted host-b", "inbound shop/db", "upstreams host-b"]
        )
        #expect(compiler.sections(of: try AgentName("stranger")) == nil)
        guard
            case .inbound(let inbound) = try content(
                .inbound,
                "shop/db",
                of: "host-b",
                in: &compiler
            ),
            case .endpoints(let reached) = try content(
                .endpoints,
                "shop/db",
                of: "host-a",
                in: &compiler
            )
        else { throw Misread() }
        // Only the rules that speak of it; host-c has not said where it is reached.
        #expect(inbound.rules.map(\.precedence) == [9, 4])
        #expect(reached.endpoints.map(\.agent.text) == ["host-b"])
        #expect(compiler.takeFaults().isEmpty)
    }

    private struct Misread: Error {}

    @Test func theOrderOfResourcesDoesNotShow() throws {
        var compiler = try SmallMesh.compiler()
        var reversed = SectionCompiler(
            trustDomain: compiler.trustDomain,
            configuration: Configuration(
                resources: try SmallMesh.resources().reversed(),
                agents: try SmallMesh.addresses()
            )
        )
        for name in ["host-a", "host-b", "host-c"] {
            let agent = try AgentName(name)
            #expect(compiler.sections(of: agent) == reversed.sections(of: agent))
        }
    }

    @Test func aChangeConcernsOnlyItsReaders() throws {
        var compiler = try SmallMesh.compiler()
        let agents = try ["host-a", "host-b", "host-c"].map { try AgentName($0) }
        for agent in agents { _ = compiler.sections(of: agent) }
        func concerned(_ entries: Configuration.Entry...) -> [String] {
            compiler.apply(entries).map(\.text).sorted()
        }
        func intention(_ rule: Intention, exists: Bool) -> Configuration.Entry {
            .intention(
                destination: rule.destination,
                source: rule.source,
                exists ? rule : nil
            )
        }
        let rule = try SmallMesh.rule("shop/web", "shop/db", .deny)
        #expect(concerned(intention(rule, exists: true)) == ["host-b", "host-c"])
        #expect(concerned(intention(rule, exists: false)) == ["host-b", "host-c"])
        let any = try SmallMesh.rule("*", "*", .allow)
        #expect(concerned(intention(any, exists: true)) == ["host-a", "host-b", "host-c"])
        let unhosted = try SmallMesh.rule("*", "other/thing", .deny)
        #expect(concerned(intention(unhosted, exists: true)).isEmpty)
        let agent = Configuration.Agent(
            isEnrolled: true,
            meshAddress: try MeshAddress("192.0.2.3:7443")
        )
        #expect(concerned(.agent(try AgentName("host-c"), agent)) == ["host-a", "host-c"])
        guard
            case .endpoints(let reached) = try content(
                .endpoints,
                "shop/db",
                of: "host-a",
                in: &compiler
            )
        else { throw Misread() }
        #expect(reached.endpoints.map(\.agent.text) == ["host-b", "host-c"])
        let placement = Placement(
            service: try ServiceName("shop/db"),
            agent: try AgentName("host-b")
        )
        #expect(concerned(.placement(placement, exists: false)) == ["host-a", "host-b"])
        #expect(
            names(compiler.sections(of: try AgentName("host-b")))
                == ["hosted host-b", "upstreams host-b"]
        )
    }

    @Test func changesGiveWhatAFreshCompilationGives() throws {
        var changed = try SmallMesh.compiler()
        for name in ["host-a", "host-b"] { _ = changed.sections(of: try AgentName(name)) }
        let rule = try SmallMesh.rule("shop/*", "shop/db", .deny)
        let entry = Configuration.Entry.intention(
            destination: rule.destination,
            source: rule.source,
            rule
        )
        _ = changed.apply([entry])
        var fresh = SectionCompiler(
            trustDomain: changed.trustDomain,
            configuration: Configuration(
                resources: try SmallMesh.resources() + [.intention(rule)],
                agents: try SmallMesh.addresses()
            )
        )
        let agent = try AgentName("host-b")
        #expect(changed.sections(of: agent) == fresh.sections(of: agent))
    }

    @Test func oneBadServiceIsDeniedAlone() throws {
        var compiler = try SmallMesh.compiler()
        let database = try ServiceName("shop/db")
        // A life that no table admits: only the agent's own decoder notices.
        _ = compiler.apply([
            .service(database, Service(name: database, leafLifetime: .seconds(1)))
        ])
        guard
            case .denied(let denial) = try content(
                .denied,
                "shop/db",
                of: "host-b",
                in: &compiler
            )
        else { throw Misread() }
        #expect(denial.replaced == .inbound)
        #expect(compiler.takeFaults().map(\.name) == ["shop/db"])
        #expect(names(compiler.sections(of: try AgentName("host-a"))).contains("inbound shop/web"))
        _ = compiler.apply([.service(database, Service(name: database))])
        #expect(names(compiler.sections(of: try AgentName("host-b"))).contains("inbound shop/db"))
        #expect(compiler.takeFaults().isEmpty)
    }

    @Test func aBadInstanceCostsOnlyItself() throws {
        var compiler = try SmallMesh.compiler()
        let agent = try AgentName("host-b")
        let placement = Placement(service: try ServiceName("shop/db"), agent: agent)
        let bad = Instance(
            service: placement.service,
            agent: agent,
            name: .ofPort(0),
            port: 0
        )
        _ = compiler.apply([.instance(placement, bad.name, bad)])
        guard
            case .hosted(let hosted) = try content(
                .hosted,
                "host-b",
                of: "host-b",
                in: &compiler
            )
        else { throw Misread() }
        #expect(hosted.services.flatMap(\.instances).map(\.port) == [5432])
        #expect(compiler.takeFaults().count == 1)
    }

    @Test func aPortOfAServiceThatIsNotPlacedIsLeftOut() throws {
        var compiler = try SmallMesh.compiler()
        let placement = Placement(
            service: try ServiceName("shop/web"),
            agent: try AgentName("host-a")
        )
        _ = compiler.apply([.placement(placement, exists: false)])
        #expect(
            names(compiler.sections(of: placement.agent)) == ["hosted host-a", "upstreams host-a"]
        )
    }
}

@Suite struct MeshAddressTests {
    @Test(arguments: ["192.0.2.1:7443", "[2001:db8::2]:1", "127.0.0.1:65535"])
    func readsItsOwnText(_ text: String) throws {
        #expect(try MeshAddress(text).description == text)
    }

    @Test func anUnspecifiedAddressIsWhereTheAgentComesFrom() throws {
        func text(_ reported: String, _ source: String) throws -> String {
            try MeshAddress(reported: reported, seenFrom: source).description
        }
        #expect(try text("0.0.0.0:7443", "192.0.2.9") == "192.0.2.9:7443")
        #expect(try text("[::]:7443", "2001:db8::9") == "[2001:db8::9]:7443")
        #expect(try text("192.0.2.1:7443", "192.0.2.9") == "192.0.2.1:7443")
        #expect(throws: NameError.self) { try MeshAddress(reported: "0.0.0.0:1", seenFrom: "") }
        #expect(throws: NameError.self) {
            try MeshAddress(reported: "0.0.0.0:0", seenFrom: "192.0.2.9")
        }
    }

    @Test(arguments: [
        "", "192.0.2.1", "192.0.2.1:0", "host.example:7443", "2001:db8::2:7443", "0.0.0.0:7443",
        "[::]:7443", "[192.0.2.1]:7443", "192.0.2.1:70000", "192.0.2.1:7443 ",
    ])
    func refusesWhatNamesNoHost(_ text: String) {
        #expect(throws: NameError.self) { try MeshAddress(text) }
    }
}
