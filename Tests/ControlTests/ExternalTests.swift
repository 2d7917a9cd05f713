import Control
import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

/// Services that no agent hosts: who may write them, and what comes of it.
@Suite struct ExternalTests {
    private static func target(
        _ fixture: CatalogFixture,
        agent: String = "db-1",
        host: String = "db.example.com",
        authorities: [[UInt8]]? = nil,
        allowsLocal: Bool = false
    ) throws -> Resource {
        let bundle = try authorities ?? [OutsideAuthority(now: fixture.control.now()).certificate]
        return .external(
            ExternalTarget(
                service: try ServiceName("orders"),
                agent: try AgentName(agent),
                host: try OutsideHost(host),
                port: 5432,
                security: .verified(serverName: try OutsideHost(host), authorities: bundle),
                allowsLocal: allowsLocal
            )
        )
    }

    @Test func aTargetIsWrittenReadAndDeletedAndOldServersReadEverythingAnew() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let catalog = fixture.control.catalog
            let target = try Self.target(fixture)
            let (item, action) = try await catalog.put(target, by: fixture.admin)
            #expect(action == .create)
            #expect(try await catalog.find(item.key) == item)
            #expect(try await catalog.put(target, by: fixture.admin).action == .unchanged)
            var query = CatalogQuery(.external)
            query.agent = try AgentName("db-1")
            #expect(try await catalog.list(query).items == [item])
            #expect(try await catalog.export { _ in true }.resources.contains(target))
            // The one word that a server which does not know the kind understands.
            let change = try #require(try await fixture.feed().last?.change)
            #expect(change.kind == .instance)
            #expect(change.key == "default/orders/db-1/@external")
            #expect(throws: NameError.self) { try InstanceName(ExternalRepository.feedName) }
            #expect(
                try await fixture.base.audited("external.put").map(\.outcome) == [
                    "success", "unchanged",
                ]
            )
            // What it stands on stays until it is gone.
            let placement = ResourceKey.placement(
                try ServiceName("orders"),
                try AgentName("db-1")
            )
            let inUse = await refusal { try await catalog.delete(placement, by: fixture.admin) }
            #expect(inUse?.code == "placement.in_use")
            try await catalog.delete(item.key, by: fixture.admin)
            let gone = await refusal { try await catalog.find(item.key) }
            #expect(gone?.code == "external.not_found")
            try await catalog.delete(placement, by: fixture.admin)
        }
    }

    @Test func itNeedsAPlacementAndCertificatesOfAuthorities() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let catalog = fixture.control.catalog
            func code(_ target: Resource, by caller: Caller? = nil) async -> String? {
                await refusal {
                    try await catalog.put(target, by: caller ?? fixture.admin)
                }?.code
            }
            #expect(await code(try Self.target(fixture, agent: "db-2")) == "external.not_placed")
            #expect(await code(try Self.target(fixture, authorities: [[1, 2]])) == "external.ca")
            let authority = try OutsideAuthority(now: fixture.control.now())
            let leaf = try authority.leaf([.dns("db.example.com")])
            #expect(await code(try Self.target(fixture, authorities: leaf.chain)) == "external.ca")
            // Reaching into the agent's own host is a right of its own.
            let local = try Self.target(fixture, host: "127.0.0.1", allowsLocal: true)
            #expect(await code(local, by: try fixture.editor) == "external.local_needs_sudo")
            #expect(await code(local) == nil)
            #expect(
                Catalog.rights(toApply: [local], dryRun: false).map(\.capability)
                    == [.update, .sudo]
            )
        }
    }

    @Test func anAgentHostsAServiceOrConnectsOutwardForIt() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let catalog = fixture.control.catalog
            let instance = try CatalogFixture.read(
                "kind: instance\nservice: orders\nagent: db-1\nport: 5432\n"
            )
            _ = try await catalog.put(instance, by: fixture.admin)
            let target = try Self.target(fixture)
            let hosted = await refusal { try await catalog.put(target, by: fixture.admin) }
            #expect(hosted?.code == "external.service_hosted")
            try await catalog.delete(try #require(instance.key), by: fixture.admin)
            _ = try await catalog.put(target, by: fixture.admin)
            let external = await refusal { try await catalog.put(instance, by: fixture.admin) }
            #expect(external?.code == "instance.service_external")
        }
    }

    @Test func anAgentThatSaidThatItCannotIsRefused() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let agent = try AgentName("db-1")
            func connected(_ features: [String]) async throws {
                try await fixture.control.write { database in
                    try await AgentStateRepository.connected(
                        agent,
                        to: "server-1",
                        version: "0.1.0",
                        features: features,
                        in: database
                    )
                }
            }
            try await connected(["traffic"])
            let target = try Self.target(fixture)
            let old = await refusal {
                try await fixture.control.catalog.put(target, by: fixture.admin)
            }
            #expect(old?.code == "external.agent_too_old")
            try await connected(["traffic", Feature.external.word])
            _ = try await fixture.control.catalog.put(target, by: fixture.admin)
        }
    }

    @Test func theViewsShowIt() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            _ = try await fixture.control.catalog.put(try Self.target(fixture), by: fixture.admin)
            let shown = try await fixture.control.read { database in
                let row = try await database.query(
                    "SELECT host, port, tls_mode, server_name FROM dashboard.externals"
                ).single()
                let count = try await database.query(
                    "SELECT externals FROM dashboard.services WHERE name = 'orders'"
                ).single()
                return (
                    try row.decode("host", as: String.self),
                    try row.decode("tls_mode", as: String.self),
                    try count.decode("externals", as: Int64.self)
                )
            }
            #expect(shown == ("db.example.com", "verify", 1))
        }
    }

    // MARK: Snapshots

    private func hosted(_ compiler: inout SectionCompiler) throws -> HostedService? {
        let sections = compiler.sections(of: try AgentName("host-c")) ?? []
        for section in sections {
            guard case .hosted(let hosted) = try SectionContent(encoded: section.bytes) else {
                continue
            }
            return hosted.services.first { $0.service.name.text == "api" }
        }
        return nil
    }

    @Test func onlyAgentsThatKnowItAreToldAndClientsAreSentToThem() throws {
        let api = try ServiceName("shop/api")
        let agent = try AgentName("host-c")
        let target = ExternalTarget(
            service: api,
            agent: agent,
            host: try OutsideHost("api.example.com"),
            port: 443,
            security: .verified(
                serverName: try OutsideHost("api.example.com"),
                authorities: [[1, 2, 3]]
            )
        )
        var resources = try SmallMesh.resources()
        resources.append(
            .service(
                ServiceResource(
                    service: Service(name: api),
                    placements: [target.placement],
                    externals: [target]
                )
            )
        )
        resources.append(
            .upstream(
                Upstream(
                    agent: try AgentName("host-a"),
                    source: try ServiceName("shop/web"),
                    destination: api,
                    port: 15_433
                )
            )
        )
        var addresses = try SmallMesh.addresses()
        addresses[agent] = try MeshAddress("192.0.2.3:7443")
        var compiler = SectionCompiler(
            trustDomain: try TrustDomain(SmallMesh.trustDomain),
            configuration: Configuration(resources: resources, agents: addresses)
        )
        let told = try hosted(&compiler)
        #expect(told?.external == target)
        let none = compiler.takeFaults()
        #expect(none.isEmpty)
        let sections = compiler.sections(of: try AgentName("host-a")) ?? []
        let endpoints = try sections.compactMap { section -> [Endpoint]? in
            guard case .endpoints(let found) = try SectionContent(encoded: section.bytes),
                found.service == api
            else { return nil }
            return found.endpoints
        }
        #expect(endpoints.first?.map(\.agent) == [agent])
        // An agent that would refuse its snapshot for it gets none of it, loudly.
        _ = compiler.understands([.traffic, .revocations], agent)
        let bare = try hosted(&compiler)
        #expect(bare?.external == nil)
        #expect(bare?.instances == [])
        let faults = compiler.takeFaults()
        #expect(faults.map(\.name) == [agent.text])
        let changed = compiler.apply([.external(target.placement, nil)])
        #expect(changed == [agent, try AgentName("host-a")])
    }
}
