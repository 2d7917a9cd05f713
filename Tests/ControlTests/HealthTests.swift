import Control
import Crypto
import Mesh
import Snapshot
import Store
import Support
import Testing
import Wire

/// What agents say of their instances, and who hears of it.
@Suite(.timeLimit(.minutes(10))) struct HealthTests {
    private let checks = HealthCheck(interval: .seconds(30), failures: 1)

    private func status(_ state: String, _ problem: String? = nil) -> Message {
        .status(
            .fields([
                "health": .list([
                    .fields([
                        "service": .string("shop/db"),
                        "instance": .string("port-5432"),
                        "state": .string(state),
                        "since": .string("2026-01-01T00:00:00Z"),
                        "problem": problem.map { .string($0) },
                    ]),
                    // Another host's, and none of anybody.
                    .fields([
                        "service": .string("shop/web"), "instance": .string("port-1"),
                        "state": .string("down"), "since": .string("2026-01-01T00:00:00Z"),
                    ]),
                    .fields(["service": .string("no name!"), "state": .string("down")]),
                ])
            ])
        )
    }

    private func notice(_ agent: TestAgent) async -> HealthNotice? {
        for case .health(let notice) in await agent.others.reversed() { return notice }
        return nil
    }

    @Test func whatOneReplicasAgentSaysReachesTheClientsOfAnother() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let host = try TestAgent("host-b", fixture.authority, meshAddress: "192.0.2.2:7443")
            let client = try TestAgent("host-a", fixture.authority, meshAddress: "192.0.2.1:7443")
            try await fixture.publishing { near in
                try await fixture.publishing { far in
                    try await fixture.connect(host, to: near)
                    try await fixture.connect(client, to: far)
                    try await until("the client enforces") {
                        await client.revision >= UInt64(clamping: first)
                    }
                    let database = try ServiceName("shop/db")
                    await host.send(status("down", "refused"))
                    try await until("the client hears that it is down") {
                        await notice(client)?.weights == [database: [host.name: 0]]
                    }
                    let key = ResourceKey.instance(database, host.name, .ofPort(5_432))
                    let item = try await fixture.control.catalog.find(key)
                    #expect(item.document["health"]?.text == "down")
                    #expect(item.document["health_problem"]?.text == "refused")
                    let revision = item.revision
                    await host.send(status("up"))
                    try await until("the client hears that it is up") {
                        await notice(client)?.weights.isEmpty == true
                    }
                    // Health is no configuration.
                    #expect(try await fixture.control.catalog.find(key).revision == revision)
                    #expect(await client.refusals.isEmpty)
                }
            }
            await host.disconnect()
            await client.disconnect()
        }
    }

    @Test func anAgentThatDoesNotSayItIsSentNothingNew() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let service = Service(name: try ServiceName("shop/db"), healthCheck: checks)
            try await fixture.put([.service(ServiceResource(service: service))])
            let old = try RawAgent(try AgentName("host-b"), fixture)
            let new = try TestAgent("host-c", fixture.authority)
            try await fixture.publishing { distribution in
                try await old.connect(to: distribution)
                await old.greet()
                try await fixture.connect(new, to: distribution)
                try await until("both have their sections") {
                    let chunks = await old.messages.filter { $0.kind == .section }
                    let isEnforced = await new.enforced != nil
                    return chunks.count >= 3 && isEnforced
                }
                let bytes = await old.messages.flatMap { message -> [UInt8] in
                    if case .section(let chunk) = message { chunk.bytes } else { [] }
                }
                let text = String(decoding: bytes, as: UTF8.self)
                #expect(text.contains("port-5432"))
                #expect(!text.contains("health_check"))
                let hosted = await new.enforced?.hostedByMeshName.values.first
                #expect(hosted?.healthCheck == checks)
                await old.send(status("down"))
                try await until("it is stored") {
                    try await fixture.control.read { database in
                        try await HealthRepository.down(in: database)
                    }.count == 1
                }
                #expect(await old.messages.allSatisfy { $0.kind != .health })
            }
            await old.close()
            await new.disconnect()
        }
    }
}
