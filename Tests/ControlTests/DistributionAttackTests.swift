import Control
import Crypto
import Mesh
import Postgres
import Reactor
import Snapshot
import Store
import Support
import Testing
import Wire

/// What somebody who writes the database, or an agent that lies, gets out of distribution.
@Suite(.timeLimit(.minutes(10))) struct DistributionAttackTests {
    private func reaches(_ agent: TestAgent, _ revision: Int64) async throws {
        try await until("\(agent.name) enforces \(revision)") {
            await agent.revision >= UInt64(clamping: revision)
        }
    }

    private func verdict(_ agent: TestAgent) async throws -> Verdict? {
        await agent.enforced?.decide(
            name: "db.shop.svc.example.org",
            source: SourceIdentity(
                trustDomain: try TrustDomain("example.org"),
                service: try ServiceName("shop/web")
            ),
            question: .connection(requestsAreJudged: false),
            now: Timestamp(secondsSinceEpoch: 1_900_000_000)
        ).verdict
    }

    /// A manifest that nobody signed, of a far revision, would be "newer" than all that is made.
    @Test func aManifestThatNobodySignedKeepsNothingFromAnAgent() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, first)
            }
            await agent.disconnect()
            var far = try #require(await agent.enforced).manifest.manifest
            far.revision = 1_000_000
            far.issued = .distantFuture
            let envelope = try far.signed(by: try SigningKey.generate(.ed25519))
            try await fixture.base.tamper(
                """
                UPDATE turnpike.manifests SET revision = 1000000,
                    hash = \(envelope.payloadHash.bytes), envelope = \(envelope.encoded)
                """
            )
            let revision = try await fixture.put([fixture.rule(.deny)])
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, revision)
                #expect(try await verdict(agent) == .deny)
                let alarm = RowAlarm(table: "manifests", key: "host-b")
                try await until("the alarm is kept") {
                    try await fixture.control.status().rowAlarms.contains(alarm)
                }
                let rows = try await fixture.control.read { database in
                    try await PublicationRepository.manifests(of: [agent.name], in: database)
                }
                #expect(rows.map(\.revision) == [revision])
            }
            await agent.disconnect()
        }
    }

    /// The same while an agent is connected: what cannot replace the forged row is not shown.
    @Test func aForgedRowUnderARunningPublisherIsReplaced() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, first)
                try await fixture.base.tamper("UPDATE turnpike.manifests SET revision = 900000")
                let revision = try await fixture.put([fixture.rule(.deny)])
                try await reaches(agent, revision)
                let rows = try await fixture.control.read { database in
                    try await PublicationRepository.manifests(of: [agent.name], in: database)
                }
                #expect(rows.map(\.revision) == [revision])
            }
            await agent.disconnect()
        }
    }

    @Test func aDatabaseBehindItsOwnManifestsPublishesNothing() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            let last = try await fixture.put([fixture.rule(.deny)])
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, last)
            }
            await agent.disconnect()
            try await fixture.base.tamper("DELETE FROM turnpike.changes WHERE revision = \(last)")
            try await fixture.base.tamper("UPDATE turnpike.revision SET revision = \(last - 1)")
            // Nothing is shown by this agent: the stored manifest alone says it.
            try await fixture.publishing { distribution in
                let raw = try RawAgent(agent.name, fixture)
                try await raw.connect(to: distribution)
                await raw.greet()
                try await until("it halts") {
                    if case .halted = await distribution.condition { true } else { false }
                }
                #expect(await raw.manifestHash == nil)
                await raw.close()
            }
        }
    }

    /// The rule changed, but its entry was taken out of the feed.
    @Test func aGapInTheFeedMakesEverythingBeReadAgain() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, first)
                let control = fixture.control
                let rule = try fixture.rule(.deny)
                try await control.write { database in
                    let at = try await ServerRepository.time(in: database)
                    let row = Stored(
                        rule,
                        revision: first + 1,
                        createdAt: at,
                        updatedAt: at,
                        createdBy: "test"
                    )
                    try await database.query(
                        CatalogRepository.put(row, guardedBy: control.rowGuard)
                    )
                    try await database.query("UPDATE turnpike.revision SET revision = \(first + 2)")
                    try await database.query(
                        """
                        INSERT INTO turnpike.changes (revision, ordinal, kind, key, action, at)
                        VALUES (\(first + 2), 1, 'namespace', 'shop', 'update', now())
                        """
                    )
                }
                try await fixture.base.tamper("NOTIFY turnpike_changes, '99999'")
                try await until("the rule is enforced") { try await verdict(agent) == .deny }
                let alarm = RowAlarm(table: "changes", key: "revisions")
                try await until("the gap is alarmed") {
                    try await control.status().rowAlarms.contains(alarm)
                }
            }
            await agent.disconnect()
        }
    }

    /// Agents keep the ends of the audit chains, so a trail that was rewritten is noticed.
    @Test func anAgentIsAWitnessOfTheAuditTrail() async throws {
        try await DistributionFixture.with { fixture in
            let first = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await reaches(agent, first)
            }
            await agent.disconnect()
            let seen = try #require(await agent.enforced).manifest.manifest.auditHeads
            #expect(!seen.isEmpty)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await fixture.control.keepHouse()
                #expect(try await fixture.control.status().rowAlarms.isEmpty)
            }
            await agent.disconnect()
            let writer = try #require(seen.first).writer
            try await fixture.base.tamper(
                "UPDATE turnpike.audit SET hash = sha256(hash) WHERE writer = \(writer)"
            )
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("the alarm is kept") {
                    try await fixture.control.status().rowAlarms
                        == [RowAlarm(table: "audit", key: writer)]
                }
            }
            await agent.disconnect()
        }
    }

    @Test func aStreamEndsWithItsCertificate() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            try await fixture.publishing { distribution in
                let raw = try RawAgent(
                    try AgentName("host-b"),
                    fixture,
                    notAfter: fixture.control.now() + .milliseconds(200)
                )
                try await raw.connect(to: distribution)
                await raw.greet()
                try await until("its certificate has ended") {
                    await raw.send(.ping(1))
                    return await raw.isEnded
                }
                #expect(await raw.refusals.contains("certificate_expired"))
                await raw.close()
            }
        }
    }

    @Test func aFloodOfStatesIsStoredAsItsLast() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let name = try AgentName("host-b")
            try await fixture.publishing { distribution in
                let raw = try RawAgent(name, fixture)
                try await raw.connect(to: distribution)
                await raw.greet()
                for second in 1...300 {
                    await raw.send(.status(.fields(["budget_seconds": .number(second)])))
                }
                func budget() async throws -> Int64? {
                    try await fixture.control.read { database in
                        try await AgentStateRepository.reports(of: [name], in: database)
                            .first?.budgetSeconds
                    }
                }
                try await until("the last one is stored") { try await budget() == 300 }
                #expect(await !raw.isEnded)
                // Who waits for a certificate has no budget yet, which is not one of zero.
                let waiting: Document = [
                    "budget_seconds": 0,
                    "certificates": [["subject": "shop/db", "state": "missing"]],
                ]
                await raw.send(.status(waiting))
                try await until("it is unknown") { try await budget() == nil }
                await raw.close()
            }
        }
    }

    @Test func anAgentThatMovesAllTheTimeMakesNoRevisionsWithoutEnd() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            try await fixture.publishing { distribution in
                for port in 1...12 {
                    let raw = try RawAgent(try AgentName("host-b"), fixture)
                    try await raw.connect(to: distribution)
                    await raw.greet(meshAddress: "192.0.2.2:\(port)")
                    try await until("it is greeted") { await raw.manifestHash != nil }
                    await raw.close()
                }
                #expect(try await fixture.base.audited("agent.address").count == 8)
            }
        }
    }

    @Test func waitingTakesOnlyItsShareOfTheDatabase() async throws {
        try await DistributionFixture.with { fixture in
            // No replica looks at this agent, so nobody's wait is over before its time.
            try await fixture.addSmallMesh()
            try await fixture.control.write { database in
                try await AgentStateRepository.connected(
                    try AgentName("host-b"),
                    to: "nobody",
                    version: "test 1",
                    in: database
                )
            }
            let enforcement = fixture.control.enforcement
            let order = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<Enforcement.waitersMax {
                    group.addTask {
                        _ = try? await enforcement.wait(for: 1, timeout: .seconds(10))
                        return false
                    }
                }
                group.addTask {
                    try await TestDatabase.reactor.sleep(for: .milliseconds(500))
                    _ = try? await enforcement.wait(for: 1, timeout: .seconds(60))
                    return true
                }
                var order: [Bool] = []
                for try await isExtra in group { order.append(isExtra) }
                return order
            }
            #expect(order.first == true)
        }
    }
}
