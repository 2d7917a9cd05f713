import Crypto
import Foundation
import Mesh
import Snapshot
import Support
import Synchronization
import Testing
import Wire

extension OneAtATime {
    /// An agent that is killed at any moment of taking snapshots comes back with a whole one, no older
    /// than the last that it acknowledged.
    @Suite(.timeLimit(.minutes(10))) struct AgentKilledWhileApplyingTests {
        private static let applies: UInt64 = 200

        /// Even revisions let `web` in, odd ones keep it out.
        private static func verdict(_ revision: UInt64) -> Verdict {
            revision.isMultiple(of: 2) ? .allow : .deny
        }

        @Test func everyRestartEnforcesAWholeSnapshotNoOlderThanTheLastAcknowledged() async throws {
            let seed = UInt64(getpid())
            var random = SeededGenerator(seed: seed)
            let host = try await StandHost()
            let others = try (1...7).map { try ServiceName("other-\($0)") }
            var agent = try await host.start()
            var kills = 0
            for revision in 1...Self.applies {
                let signed = try host.snapshot(
                    Self.verdict(revision),
                    revision: revision,
                    alsoHosting: others
                )
                guard revision > 1, Int.random(in: 0..<4, using: &random) == 0 else {
                    try await host.publish(signed)
                    if revision == 1 { try await host.waitForCertificates(of: agent) }
                    continue
                }
                try host.stand.publish(signed)
                try await Task.sleep(for: .microseconds(Int.random(in: 0..<40_000, using: &random)))
                await agent.killNow()
                kills += 1
                let floor = host.acknowledgedRevision
                try await judgeDisk(host, floor: floor, "seed \(seed), revision \(revision)")
                if kills.isMultiple(of: 4) {
                    try await judgeTraffic(host, floor: floor, "seed \(seed), revision \(revision)")
                }
                let helloCount = host.stand.state.withLock { $0.hellos.count }
                agent = try await host.start()
                _ = try await host.stand.wait { $0.hellos.count > helloCount }
                let hello = host.stand.state.withLock { $0.hellos.last }
                #expect(hello?.mark?.revision ?? 0 >= floor, "seed \(seed), revision \(revision)")
                try await agent.wait(forRevision: Int64(revision))
            }
            #expect(kills > 20, "seed \(seed)")
            try await host.waitForCertificates(of: agent)
            #expect(try await host.probe(agent) == .answered([1, 2, 3]))
            print("killed \(kills) times in \(Self.applies) applies, seed \(seed)")
            #expect(await agent.end() == 0)
            await host.stop()
        }

        /// The files alone, judged by the program that people use for it.
        private func judgeDisk(_ host: StandHost, floor: UInt64, _ place: String) async throws {
            let verified = try await AgentChild.run(["snapshot", "verify", host.directory.path])
            #expect(verified.code == 0, "\(place): \(verified.output)\(verified.errors)")
            let words = verified.output.split(separator: " ")
            let shown = words.firstIndex(of: "revision").flatMap { index in
                UInt64(words[words.index(after: index)].prefix { $0.isNumber })
            }
            #expect(shown ?? 0 >= floor, "\(place): \(verified.output)")
        }

        /// What is enforced without any server is what the revision says.
        private func judgeTraffic(_ host: StandHost, floor: UInt64, _ place: String) async throws {
            let alone = try await host.start(["--servers", "127.0.0.1:1"])
            let revision = try #require(try await alone.revision(), "\(place): nothing is enforced")
            #expect(revision >= floor, "\(place)")
            let outcome = try await host.probe(alone)
            switch Self.verdict(UInt64(revision)) {
            case .allow: #expect(outcome == .answered([1, 2, 3]), "\(place)")
            case .deny: #expect(outcome != .answered([1, 2, 3]), "\(place)")
            }
            await alone.killNow()
        }
    }
}

extension StandHost {
    /// The highest revision that the agent has acknowledged as enforced.
    fileprivate var acknowledgedRevision: UInt64 {
        stand.state.withLock { state in
            state.acknowledgements.compactMap { $0.errors.isEmpty ? $0.mark?.revision : nil }.max()
                ?? 0
        }
    }
}

/// Numbers that a seed repeats.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// splitmix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
