import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct SectionTests {
    private let world: World

    init() throws { world = try World() }

    private func inbound(_ rules: [Intention]) -> SectionContent {
        .inbound(
            InboundSection(
                service: world.database,
                applicationProtocol: .tcp,
                leafLifetime: .seconds(3600),
                trustDomain: world.trustDomain,
                rules: rules
            )
        )
    }

    @Test func theSameRulesGiveTheSameBytes() throws {
        var first = try world.rule(.allow)
        var second = try world.rule(.deny, from: "*")
        second.id = try RuleID("rule-2")
        let one = try EncodedSection(checking: inbound([first, second]))
        first.description = "changed"
        first.meta = ["a": "b"]
        let other = try EncodedSection(checking: inbound([second, first]))
        #expect(one == other)
        var foreign = try world.rule(.allow)
        foreign.destination = .exact(world.web)
        #expect(try EncodedSection(checking: inbound([first, foreign, second])) == one)
    }

    @Test func whatCannotBeEnforcedBecomesADenialOfThatServiceAlone() throws {
        var rule = try world.rule(.allow)
        rule.effect = .permissions([
            Permission(action: .allow, http: HTTPCondition(path: .prefix("/")))
        ])
        let (denial, fault) = EncodedSection.encode(inbound([rule]))
        #expect(fault != nil)
        #expect(denial.reference.kind == .denied)
        #expect(denial.reference.name == "shop/db")
        var sections = try world.sections()
        sections[0] = denial
        let snapshot = try world.snapshot(revision: 1, sections: sections)
        let ruling = snapshot.decide(
            name: "db.shop.svc.mesh.example",
            source: SourceIdentity(trustDomain: world.trustDomain, service: world.web),
            question: .connection(requestsAreJudged: true),
            now: World.now
        )
        #expect(ruling.reason == .serviceDisabled)
        #expect(snapshot.denials.map(\.replaced) == [.inbound])
        #expect(snapshot.routesByPort[5433]?.endpoints.count == 1)
    }

    @Test func aHostedServiceWithoutRulesLetsNobodyIn() throws {
        let sections = Array(try world.sections().dropFirst())
        let snapshot = try world.snapshot(revision: 1, sections: sections)
        let ruling = snapshot.decide(
            name: "db.shop.svc.mesh.example",
            source: SourceIdentity(trustDomain: world.trustDomain, service: world.web),
            question: .connection(requestsAreJudged: false),
            now: World.now
        )
        #expect(ruling == .refused(.serviceDisabled))
    }

    @Test func aDeniedEndpointsSectionReachesNothing() throws {
        var sections = try world.sections()
        sections[1] = try EncodedSection(
            checking: .denied(
                DeniedSection(replaced: .endpoints, name: "shop/db", reason: "broken row")
            )
        )
        let snapshot = try world.snapshot(revision: 1, sections: sections)
        #expect(snapshot.routesByPort[5433]?.endpoints.isEmpty == true)
    }

    @Test func unknownKindsSchemasAndFieldsAreRefused() throws {
        for section in try world.sections() {
            let document = try JSON.parse(section.bytes)
            #expect(try SectionContent(encoded: section.bytes).kind == section.reference.kind)
            for (key, value) in [
                ("kind", Document.string("jwks")), ("schema", 2), ("extra", true),
            ] {
                var altered = document
                altered.set(key, value)
                #expect(throws: SnapshotFormatError.self) {
                    try SectionContent(encoded: JSON.canonical(altered))
                }
            }
        }
    }

    @Test func everyPrefixAndEveryOtherOrderIsRefused() throws {
        for section in try world.sections(padding: 2) {
            for count in 0..<section.bytes.count {
                #expect(throws: SnapshotFormatError.self) {
                    try SectionContent(encoded: Array(section.bytes[..<count]))
                }
            }
        }
        let endpoints = try ["b", "a"].map { name in
            Endpoint(
                agent: try AgentName(name),
                address: .loopback,
                port: 1,
                weight: 1,
                trustDomain: world.trustDomain
            )
        }
        let content = SectionContent.endpoints(
            EndpointsSection(service: world.web, endpoints: endpoints)
        )
        let text = String(
            decoding: try EncodedSection(checking: content).bytes,
            as: UTF8.self
        )
        let swapped = text.replacing("\"agent\":\"a\"", with: "\"agent\":\"c\"")
        #expect(throws: SnapshotFormatError.self) {
            try SectionContent(encoded: Array(swapped.utf8))
        }
    }

    @Test func portsAndServicesStandOnce() throws {
        let upstream = Upstream(
            agent: world.agent,
            source: world.web,
            destination: world.database,
            port: 1
        )
        let ports = SectionContent.upstreams(
            UpstreamsSection(agent: world.agent, upstreams: [upstream, upstream])
        )
        #expect(throws: SnapshotFormatError.self) { try EncodedSection(checking: ports) }
        let (denial, fault) = EncodedSection.encode(ports)
        #expect(fault != nil)
        #expect(denial.reference.kind == .denied)
        let service = HostedService(service: world.web, instances: [])
        let hosted = SectionContent.hosted(
            HostedSection(agent: world.agent, services: [service, service])
        )
        #expect(throws: SnapshotFormatError.self) { try EncodedSection(checking: hosted) }
    }
}
