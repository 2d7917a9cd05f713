import Control
import Crypto
import Mesh
import Observability
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

@Suite(.timeLimit(.minutes(10))) struct DistributionTests {
    private func reaches(_ agent: TestAgent, _ revision: Int64) async throws {
        try await until("\(agent.name) enforces \(revision)") {
            await agent.revision >= UInt64(clamping: revision)
        }
    }

    private func decide(_ agent: TestAgent, from source: String = "shop/web") async throws
        -> Ruling?
    {
        let snapshot = await agent.enforced
        return snapshot?.decide(
            name: "db.shop.svc.example.org",
            source: SourceIdentity(
                trustDomain: try TrustDomain("example.org"),
                service: try ServiceName(source)
            ),
            question: .connection(requestsAreJudged: false),
            now: Timestamp(secondsSinceEpoch: 1_900_000_000)
        )
    }

    @Test func aCommitReachesTheAgentsItConcerns() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let host = try TestAgent("host-b", fixture.authority, meshAddress: "192.0.2.2:7443")
            let client = try TestAgent("host-a", fixture.authority, meshAddress: "web.example:1")
            try await fixture.publishing { distribution in
                try await fixture.connect(client, to: distribution)
                try await fixture.connect(host, to: distribution)
                try await reaches(host, first)
                #expect(try await decide(host)?.verdict == .allow)
                // The address that host-b gave is where host-a is sent to.
                try await until("host-a knows the endpoint") {
                    await client.enforced?.routesByPort[15_432]?.endpoints.first?.address
                        .description == "192.0.2.2"
                }
                #expect(
                    try await fixture.base.audited("agent.address").map(\.actor) == ["agent/host-b"]
                )
                let before = await client.revision
                let revision = try await fixture.put([fixture.rule(.deny)])
                let report = try await fixture.control.enforcement.wait(
                    for: revision,
                    timeout: .seconds(20)
                )
                #expect(report.isComplete)
                #expect(report.acknowledged.map(\.text) == ["host-b"])
                #expect(report.pending.isEmpty)
                #expect(try await decide(host)?.verdict == .deny)
                // Nothing that host-a enforces has changed.
                #expect(await client.revision == before)
                #expect(await distribution.connectedAgents.map(\.text) == ["host-a", "host-b"])
            }
            #expect(await host.refusals.isEmpty)
            await host.disconnect()
            await client.disconnect()
        }
    }

    @Test func anAgentThatDoesNotReadHoldsNobodyUp() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let slow = try TestAgent("host-b", fixture.authority)
            let quick = try TestAgent("host-c", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(slow, to: distribution)
                try await fixture.connect(quick, to: distribution)
                try await until("both have a snapshot") {
                    let revisions = (await slow.revision, await quick.revision)
                    return revisions.0 > 0 && revisions.1 > 0
                }
                await slow.setReads(false)
                var last: Int64 = 0
                for number in 0..<200 {
                    last = try await fixture.put([
                        fixture.rule(number.isMultiple(of: 2) ? .deny : .allow)
                    ])
                }
                try await reaches(quick, last)
                #expect(await slow.revision < last)
                await slow.setReads(true)
                try await reaches(slow, last)
                // The revisions in between were never queued for it.
                #expect(await slow.manifestCount < 10)
            }
            await slow.disconnect()
            await quick.disconnect()
        }
    }

    @Test func whoHasNotAcknowledgedIsNamed() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let stuck = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(stuck, to: distribution)
                try await until("it has a snapshot") { await stuck.revision > 0 }
                await stuck.setApplies(false)
                let revision = try await fixture.put([fixture.rule(.deny)])
                let report = try await fixture.control.enforcement.wait(
                    for: revision,
                    timeout: .seconds(1)
                )
                #expect(!report.isComplete)
                #expect(report.pending.map(\.text) == ["host-b"])
                let lagging = fixture.control.metrics.gauge(MetricNames.laggingAgents)
                #expect(lagging.value == 1)
                await stuck.disconnect()
                try await until("nobody lags who is not there") { lagging.value == 0 }
            }
        }
    }

    @Test func aRestartForksNothing() async throws {
        try await DistributionFixture.with { fixture in
            let revision = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, revision)
            }
            let mark = await agent.enforced?.mark
            await agent.disconnect()
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                let next = try await fixture.put([fixture.rule(.deny)])
                try await reaches(agent, next)
                #expect(await distribution.condition == .publishing(revision: next))
            }
            #expect(mark?.revision == UInt64(clamping: revision))
            #expect(await agent.refusals.isEmpty)
            // The first snapshot was shown once; the restart found it in the database.
            #expect(await agent.manifestCount == 2)
            await agent.disconnect()
        }
    }

    @Test func aRuleThatWasAlteredBehindTheServersBackIsGoneUnderANewRevision() async throws {
        try await DistributionFixture.with { fixture in
            let revision = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, revision)
            }
            await agent.disconnect()
            #expect(try await decide(agent, from: "shop/spy")?.verdict == .deny)
            try await fixture.base.tamper(
                "UPDATE turnpike.intentions SET source_namespace = '*', source_name = '*'"
            )
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, revision + 1)
            }
            #expect(await agent.refusals.isEmpty)
            #expect(try await decide(agent, from: "shop/spy")?.verdict == .deny)
            #expect(try await decide(agent)?.verdict == .deny)
            #expect(try await fixture.base.audited("snapshot.supersede").count == 1)
            await agent.disconnect()
        }
    }

    @Test func aDatabaseThatWasSetBackPublishesNothing() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            let last = try await fixture.put([fixture.rule(.deny)])
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, last)
            }
            await agent.disconnect()
            try await fixture.base.tamper("DELETE FROM turnpike.manifests")
            try await fixture.base.tamper("DELETE FROM turnpike.changes WHERE revision = \(last)")
            try await fixture.base.tamper("UPDATE turnpike.revision SET revision = \(last - 1)")
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it halts") {
                    if case .halted = await distribution.condition { true } else { false }
                }
                // It stops publishing first and records why after that.
                try await until("the halt is recorded") {
                    try await !fixture.base.audited("snapshot.halt").isEmpty
                }
            }
            #expect(await agent.revision == UInt64(clamping: last))
            #expect(try await fixture.base.audited("snapshot.halt").map(\.outcome) == ["alarm"])
            await agent.disconnect()
        }
    }

    /// An agent that shows a head of an epoch far ahead, signed with a given key.
    private func showingAFarHead(
        signedBy key: SigningKey,
        _ fixture: DistributionFixture,
        to distribution: Distribution
    ) async throws -> RawAgent {
        let agent = try TestAgent("host-b", fixture.authority)
        let manifest = Manifest(
            trustDomain: fixture.control.trustDomain,
            agent: agent.name,
            epoch: 9,
            revision: 1_000_000,
            previous: nil,
            issued: .epoch,
            expires: .distantFuture,
            trustVersion: 1,
            trustHash: fixture.authority.anchor.hash,
            sections: []
        )
        let envelope = try manifest.signed(by: key)
        let raw = try RawAgent(agent.name, fixture)
        try await raw.connect(to: distribution)
        await raw.send(
            .hello(
                Hello(
                    agent: agent.name,
                    software: "test",
                    mark: SnapshotMark(
                        epoch: 9,
                        revision: 1_000_000,
                        manifestHash: envelope.payloadHash,
                        sectionsHash: manifest.sectionsHash,
                        issued: .epoch
                    ),
                    head: envelope.encoded,
                    trustVersion: 1,
                    trustHash: fixture.authority.anchor.hash,
                    held: []
                )
            )
        )
        return raw
    }

    @Test func aForgedHeadStopsNothing() async throws {
        try await DistributionFixture.with { fixture in
            let revision = try await fixture.addSmallMesh()
            try await fixture.publishing { distribution in
                // Another mesh's keys sign a far future.
                let stranger = try TestAuthority(trustDomain: fixture.control.trustDomain)
                let raw = try await showingAFarHead(
                    signedBy: stranger.snapshotKey,
                    fixture,
                    to: distribution
                )
                try await until("it is given the true snapshot") {
                    await raw.messages.contains { if case .manifest = $0 { true } else { false } }
                }
                #expect(await distribution.condition == .publishing(revision: revision))
                await raw.close()
            }
        }
    }

    /// A database that was set back does not know the epoch that its own keys have signed.
    @Test func aHeadOfAnEpochThatIsNotKnownHereHaltsWhenOurOwnKeySignedIt() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            try await fixture.publishing { distribution in
                let raw = try await showingAFarHead(
                    signedBy: fixture.authority.snapshotKey,
                    fixture,
                    to: distribution
                )
                try await until("it halts") {
                    if case .halted = await distribution.condition { true } else { false }
                }
                #expect(
                    await !raw.messages.contains {
                        if case .manifest = $0 { true } else { false }
                    }
                )
                await raw.close()
            }
        }
    }

    @Test func whoBreaksTheProtocolIsCut() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let host = try AgentName("host-b")
            let hash = SHA256.digest(of: [1])
            func hello(_ agent: AgentName) -> Message {
                .hello(
                    Hello(
                        agent: agent,
                        software: "raw",
                        mark: nil,
                        head: nil,
                        trustVersion: 1,
                        trustHash: fixture.authority.anchor.hash,
                        held: []
                    )
                )
            }
            let conversations: [[Message]] = [
                [.ping(1)],
                [hello(try AgentName("host-a"))],
                [hello(host), hello(host)],
                [
                    hello(host),
                    .section(SectionChunk(hash: hash, offset: 0, byteCount: 1, bytes: [1])),
                ],
                [hello(host), .evidenceAcknowledgement(batch: 1)],
            ]
            try await fixture.publishing { distribution in
                for conversation in conversations {
                    let raw = try RawAgent(host, fixture)
                    try await raw.connect(to: distribution)
                    for message in conversation { await raw.send(message) }
                    try await until("\(conversation.last.map { "\($0.kind)" } ?? "") is refused") {
                        await raw.isEnded
                    }
                    #expect(
                        await raw.messages.contains {
                            if case .refusal(let refusal) = $0 {
                                refusal.code == "protocol"
                            } else {
                                false
                            }
                        }
                    )
                    await raw.close()
                }
                // A section that its own manifest does not name.
                let raw = try RawAgent(host, fixture)
                try await raw.connect(to: distribution)
                await raw.send(hello(host))
                try await until("it is shown a manifest") { await raw.manifestHash != nil }
                let manifest = try #require(await raw.manifestHash)
                await raw.send(.want(Want(manifest: manifest, sections: [hash])))
                try await until("the foreign section is refused") { await raw.isEnded }
                await raw.close()
            }
        }
    }

    @Test func requestsAreAnsweredAndARevokedAgentIsCut() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let agent = try TestAgent("host-a", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it has a snapshot") { await agent.revision > 0 }
                for (id, name) in [(UInt64(1), "shop/web"), (2, "shop/db")] {
                    await agent.send(
                        .certificateRequest(
                            CertificateRequest(id: id, service: try ServiceName(name), csr: [9])
                        )
                    )
                }
                await agent.send(.ping(77))
                await agent.send(
                    .status(.fields(["budget_seconds": .number(1_800)]))
                )
                try await until("all is answered") { await agent.others.count >= 3 }
                let others = await agent.others
                #expect(others.contains(.pong(77)))
                #expect(
                    others.contains(
                        .certificateAnswer(CertificateAnswer(id: 1, chain: [[1, 2, 3], [4]]))
                    )
                )
                #expect(
                    others.contains(
                        .certificateAnswer(
                            CertificateAnswer(
                                id: 2,
                                chain: [],
                                error: "service.not_placed: not placed here"
                            )
                        )
                    )
                )
                fixture.authority.revoke("host-a")
                try await fixture.control.change(
                    fixture.base.admin,
                    action: "test.revoke",
                    resource: "agents/host-a"
                ) { change in
                    change.record(.agent, key: "host-a", .update)
                }
                try await until("it is cut") { await !agent.isConnected }
            }
            await agent.disconnect()
        }
    }

    @Test func aPeerThatIsNoAgentIsRefused() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            fixture.authority.revoke("host-a")
            let agent = try TestAgent("host-a", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it is cut") { await !agent.isConnected }
                #expect(await distribution.connectedAgents.isEmpty)
            }
            #expect(
                await agent.others
                    == [.refusal(StreamRefusal(code: "agent.revoked", text: "join again"))]
            )
            await agent.disconnect()
        }
    }

    @Test func aNewerStreamReplacesTheOlder() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let older = try TestAgent("host-b", fixture.authority)
            let newer = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(older, to: distribution)
                try await until("the first is served") { await older.revision > 0 }
                try await fixture.connect(newer, to: distribution)
                try await until("the first is cut") { await !older.isConnected }
                try await until("the second is served") { await newer.revision > 0 }
                #expect(await distribution.connectedAgents.count == 1)
            }
            await older.disconnect()
            await newer.disconnect()
        }
    }
}
