import Control
import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

/// What two replicas, a long life and a stored manifest mean for an agent.
@Suite(.timeLimit(.minutes(10))) struct PublicationTests {
    @Test func twoReplicasPublishTheSameAtTheSameRevision() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let second = DistributionFixture(
                base: ControlFixture(
                    database: fixture.base.database,
                    pool: fixture.base.pool,
                    control: try await ControlFixture.open(fixture.base.pool, server: "two"),
                    file: fixture.base.file,
                    admin: fixture.base.admin
                ),
                authority: fixture.authority
            )
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { one in
                try await second.publishing { two in
                    for distribution in [one, two, one, two] {
                        let revision = try await fixture.put([fixture.rule(.allow)])
                        try await fixture.connect(agent, to: distribution)
                        try await until("it enforces \(revision)") {
                            await agent.revision >= UInt64(clamping: revision)
                        }
                        // Without a goodbye it would count as on its way to another server.
                        await agent.send(
                            .refusal(StreamRefusal(code: StreamRefusal.stopping, text: "bye"))
                        )
                        await agent.disconnect()
                    }
                    // Who waits counts both replicas, and nobody is connected.
                    let revision = try await second.put([second.rule(.deny)])
                    let report = try await fixture.control.enforcement.wait(
                        for: revision,
                        timeout: .seconds(20)
                    )
                    #expect(report.isComplete)
                    #expect(report.acknowledged.isEmpty)
                }
            }
            #expect(await agent.refusals.isEmpty)
            #expect(try await fixture.base.audited("snapshot.supersede").isEmpty)
        }
    }

    @Test func whatIsShownIsStoredFirst() async throws {
        try await DistributionFixture.with { fixture in
            let revision = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it has a snapshot") { await agent.revision > 0 }
                let mark = try #require(await agent.enforced?.mark)
                let rows = try await fixture.control.read { database in
                    try await PublicationRepository.manifests(of: [agent.name], in: database)
                }
                let row = try #require(rows.first)
                #expect(row.hash == mark.manifestHash)
                #expect(row.sectionsHash == mark.sectionsHash)
                #expect(row.revision == revision)
                let count: Int64 = try await fixture.control.read { database in
                    try await database.query(
                        """
                        SELECT count(*) FROM turnpike.sections
                        WHERE hash = ANY(\(row.sectionHashes.map(\.bytes)))
                        """
                    ).single().decode(at: 0)
                }
                #expect(count == Int64(row.sectionHashes.count))
            }
            await agent.disconnect()
        }
    }

    @Test func afterHalfOfItsLifeAManifestIsSignedAgain() async throws {
        try await DistributionFixture.with { fixture in
            let revision = try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it has a snapshot") { await agent.revision > 0 }
            }
            await agent.disconnect()
            // As if it had been signed 40 minutes ago.
            let old = try #require(await agent.enforced).manifest.manifest
            var aged = old
            aged.issued = old.issued - .seconds(2_400)
            aged.expires = old.expires - .seconds(2_400)
            let envelope = try aged.signed(by: fixture.authority.snapshotKey)
            try await fixture.base.tamper(
                """
                UPDATE turnpike.manifests SET issued_at = \(aged.issued),
                    expires_at = \(aged.expires), hash = \(envelope.payloadHash.bytes),
                    envelope = \(envelope.encoded)
                """
            )
            try await fixture.publishing { distribution in
                try await fixture.connect(agent, to: distribution)
                try await until("it is signed again") {
                    let manifest = await agent.enforced?.manifest.manifest
                    return manifest.map { $0.issued > old.issued } ?? false
                }
            }
            let renewed = try #require(await agent.enforced).manifest.manifest
            #expect(renewed.revision == UInt64(clamping: revision))
            #expect(renewed.sections == old.sections)
            #expect(renewed.previous == envelope.payloadHash)
            #expect(renewed.expires.duration(since: renewed.issued) == .seconds(3_600))
            await agent.disconnect()
        }
    }

    @Test func manifestsAreStoredTogetherAndNoneOverANewerOne() async throws {
        try await DistributionFixture.with { fixture in
            _ = try await fixture.addSmallMesh()
            let hashes = [SHA256.digest(of: [1]), SHA256.digest(of: [2])]
            func row(_ agent: String, _ revision: Int64, _ hashes: [SHA256Digest]) throws
                -> PublishedManifest
            {
                PublishedManifest(
                    agent: try AgentName(agent),
                    epoch: 1,
                    revision: revision,
                    hash: SHA256.digest(of: Array("\(agent) \(revision)".utf8)),
                    sectionsHash: SHA256.digest(of: [3]),
                    sectionHashes: hashes,
                    envelope: Array("\(revision)".utf8),
                    issuedAt: Timestamp(secondsSinceEpoch: 1_900_000_000),
                    expiresAt: Timestamp(secondsSinceEpoch: 1_900_003_600)
                )
            }
            func put(_ rows: [PublishedManifest]) async throws -> [String] {
                try await fixture.control.write { database in
                    try await PublicationRepository.put(rows, in: database)
                }.map(\.text).sorted()
            }
            let first = [
                try row("host-a", 5, hashes), try row("host-b", 7, []), try row("nobody", 1, []),
            ]
            #expect(try await put(first) == ["host-a", "host-b"])
            let second = [try row("host-a", 4, []), try row("host-b", 8, hashes.reversed())]
            #expect(try await put(second) == ["host-b"])
            #expect(try await put([]) == [])
            let agents = try ["host-a", "host-b"].map { try AgentName($0) }
            let stored = try await fixture.control.read { database in
                try await PublicationRepository.manifests(of: agents, in: database)
            }
            #expect(stored.sorted { $0.agent < $1.agent } == [first[0], second[1]])
        }
    }
}
