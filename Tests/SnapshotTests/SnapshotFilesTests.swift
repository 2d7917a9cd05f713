import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct SnapshotFilesTests {
    private let world: World
    private let first: [String: [UInt8]]
    private let second: [SnapshotFiles.Step]
    private let publications: [Publication]

    init() throws {
        world = try World()
        publications = [
            try world.publication(revision: 1, sections: try world.sections()),
            try world.publication(revision: 2, sections: try world.sections(.deny)),
        ]
        var machine = Subscriber(
            agent: world.agent,
            software: "test",
            trust: world.trust,
            mark: nil,
            restored: nil,
            serverCount: 1
        )
        _ = machine.started(firstServer: 0)
        _ = machine.connected()
        var steps: [[SnapshotFiles.Step]] = []
        for publication in publications {
            var actions = machine.manifestReceived(publication.envelope, now: World.now)
            for section in publication.sections {
                actions += machine.sectionReceived(
                    SectionChunk(
                        hash: section.reference.hash,
                        offset: 0,
                        byteCount: section.bytes.count,
                        bytes: section.bytes
                    )
                )
            }
            for case .persist(let stored) in actions {
                steps.append(SnapshotFiles.steps(for: stored))
            }
            _ = machine.persisted()
            _ = machine.applied(at: World.now)
        }
        var files = [SnapshotFiles.trustName: world.trust.envelope.encoded]
        Self.run(steps[0], on: &files)
        first = files
        second = steps[1]
    }

    private static func run(
        _ steps: some Sequence<SnapshotFiles.Step>,
        on files: inout [String: [UInt8]]
    ) {
        for step in steps {
            switch step {
            case .write(let name, let bytes): files[name] = bytes
            case .remove(let name): files[name] = nil
            }
        }
    }

    private func restore(
        _ files: [String: [UInt8]],
        now: Timestamp = World.now
    ) -> SnapshotFiles.Restoration {
        SnapshotFiles.restore(agent: world.agent, trustDomain: world.trustDomain, now: now) {
            files[$0]
        }
    }

    @Test func whatWasPersistedIsRestoredEvenWhenItHasExpired() {
        for now in [World.now, World.now + .seconds(86_400 * 300)] {
            let restoration = restore(first, now: now)
            #expect(restoration.snapshot?.value.revision == 1)
            #expect(restoration.mark == publications[0].mark)
            #expect(restoration.faults.isEmpty)
        }
    }

    @Test func aCrashAfterAnyStepLeavesTheOldOrTheNew() {
        for count in 0...second.count {
            var files = first
            Self.run(second.prefix(count), on: &files)
            let restoration = restore(files)
            let revision = restoration.snapshot?.value.revision
            #expect(revision == 1 || revision == 2)
            #expect(restoration.faults.isEmpty)
        }
        var files = first
        Self.run(second, on: &files)
        #expect(restore(files).snapshot?.value.revision == 2)
        #expect(files.count == first.count)
    }

    @Test func aManifestBelowTheMarkIsARollback() {
        var files = first
        Self.run(second, on: &files)
        for (name, bytes) in first where name != SnapshotFiles.markName { files[name] = bytes }
        let restoration = restore(files)
        #expect(restoration.snapshot == nil)
        #expect(restoration.mark == publications[1].mark)
        #expect(restoration.faults.count == 1)
    }

    @Test func theMarkSurvivesTheLossOfTheRest() {
        var files = first
        files[SnapshotFiles.manifestName] = nil
        let restoration = restore(files)
        #expect(restoration.snapshot == nil)
        #expect(restoration.mark == publications[0].mark)
        #expect(restoration.faults.count == 1)
    }

    @Test func tornAndForeignFilesCloseTheAgentInsteadOfOpeningIt() throws {
        for name in first.keys.sorted() where name != SnapshotFiles.markName {
            for damage in 0..<3 {
                var files = first
                var bytes = try #require(files[name])
                switch damage {
                case 0: bytes.removeLast()
                case 1: bytes[bytes.count / 2] ^= 4
                default: bytes = []
                }
                files[name] = bytes
                let restoration = restore(files)
                #expect(restoration.snapshot == nil)
                #expect(restoration.faults.count == 1)
            }
        }
        let neighbour = SnapshotFiles.restore(
            agent: try AgentName("host-2"),
            trustDomain: world.trustDomain,
            now: World.now
        ) { first[$0] }
        #expect(neighbour.snapshot == nil)
        let elsewhere = SnapshotFiles.restore(
            agent: world.agent,
            trustDomain: try TrustDomain("staging.example"),
            now: World.now
        ) { first[$0] }
        #expect(elsewhere.trust == nil)
        #expect(elsewhere.snapshot == nil)
    }

    @Test func anUnreadableMarkIsReportedAndTheSignedManifestCounts() {
        var files = first
        files[SnapshotFiles.markName] = [0]
        let restoration = restore(files)
        #expect(restoration.snapshot?.value.revision == 1)
        #expect(restoration.faults.count == 1)
    }

    @Test func aFirstStartFindsNothing() {
        let restoration = restore([:])
        #expect(restoration.trust == nil)
        #expect(restoration.snapshot == nil)
        #expect(restoration.mark == nil)
        #expect(restoration.faults.isEmpty)
    }
}
