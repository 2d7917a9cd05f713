import Crypto
import Mesh
import Snapshot
import Testing
import Wire

/// Both machines against each other, with bytes between them that are cut and lost by a seed.
@Suite struct ConversationTests {
    private let world: World

    init() throws { world = try World() }

    /// One agent whose disk is an array of files and whose reactors swap at once.
    private struct Agent {
        var machine: Subscriber
        var files: [String: [UInt8]] = [:]
        var enforced: ValidatedSnapshot?
        var outbox: [Message] = []
        var isClosed = false

        mutating func run(_ actions: [Subscriber.Action]) {
            var pending = actions
            while !pending.isEmpty {
                switch pending.removeFirst() {
                case .send(let message): outbox.append(message)
                case .persist(let stored):
                    for step in SnapshotFiles.steps(for: stored) {
                        switch step {
                        case .write(let name, let bytes): files[name] = bytes
                        case .remove(let name): files[name] = nil
                        }
                    }
                    pending += machine.persisted()
                case .apply(let snapshot):
                    enforced = snapshot
                    pending += machine.applied(at: World.now)
                case .persistTrust(let trust):
                    files[SnapshotFiles.trustName] = trust.envelope.encoded
                    pending += machine.trustPersisted(now: World.now)
                case .close: isClosed = true
                case .connect, .reconnect, .adoptTrust, .refused, .retry: break
                }
            }
        }

        mutating func receive(_ message: Message) {
            switch message {
            case .manifest(let envelope):
                run(machine.manifestReceived(envelope, now: World.now))
            case .section(let chunk): run(machine.sectionReceived(chunk))
            case .trust(let envelope): run(machine.trustReceived(envelope))
            default: isClosed = true
            }
        }
    }

    private func deliver(_ messages: [Message], to publisher: inout Publisher) -> [UInt8] {
        var bytes: [UInt8] = []
        for message in messages {
            let actions: [Publisher.Action] =
                switch message {
                case .hello(let hello): publisher.helloReceived(hello)
                case .want(let want): publisher.wantReceived(want)
                case .acknowledgement(let answer): publisher.acknowledgementReceived(answer)
                default: []
                }
            for case .write(let frame) in actions { bytes += frame }
        }
        return bytes
    }

    @Test(arguments: 0..<8)
    func anAgentConvergesWhateverIsCutOrLost(seed: UInt64) throws {
        var generator = SplitMix(state: seed)
        var agent = Agent(
            machine: Subscriber(
                agent: world.agent,
                software: "test",
                trust: world.trust,
                mark: nil,
                restored: nil,
                serverCount: 2
            )
        )
        var newest: Publication?
        var highest: UInt64 = 0
        for connection in 0..<6 {
            agent.run(connection == 0 ? agent.machine.started(firstServer: 0) : [])
            agent.outbox = []
            agent.run(agent.machine.connected())
            var publisher = Publisher(agent: world.agent, trustChain: [world.trust])
            if let newest { _ = publisher.published(newest) }
            var decoder = FrameDecoder()
            var wire: [UInt8] = []
            // The last connection is never cut, so that everything must converge.
            let isCut = connection < 5
            for round in 0..<40 {
                if isCut, round < 20, Int.random(in: 0...5, using: &generator) == 0 {
                    let action: Verdict = Bool.random(using: &generator) ? .allow : .deny
                    let padding = Int.random(in: 0...150, using: &generator)
                    let next = try world.publication(
                        revision: (newest?.mark.revision ?? 0) + 1,
                        sections: try world.sections(action, padding: padding)
                    )
                    newest = next
                    for case .write(let frame) in publisher.published(next) { wire += frame }
                }
                wire += deliver(agent.outbox, to: &publisher)
                agent.outbox = []
                if isCut, Int.random(in: 0...20, using: &generator) == 0 { break }
                let count = isCut ? Int.random(in: 0...wire.count, using: &generator) : wire.count
                decoder.append(wire[..<count])
                wire.removeFirst(count)
                while let message = try decoder.next() { agent.receive(message) }
                for case .write(let frame) in publisher.written(byteCount: count) { wire += frame }
                let revision = agent.enforced?.revision ?? 0
                #expect(revision >= highest)
                highest = max(highest, revision)
                #expect(!agent.isClosed)
            }
            if isCut { agent.run(agent.machine.disconnected(jitter: 0.5)) }
        }
        #expect(agent.enforced?.mark == newest?.mark)
        agent.files[SnapshotFiles.trustName] = world.trust.envelope.encoded
        let files = agent.files
        let restoration = SnapshotFiles.restore(
            agent: world.agent,
            trustDomain: world.trustDomain,
            now: World.now
        ) { files[$0] }
        #expect(restoration.snapshot?.value == agent.enforced)
        #expect(restoration.faults.isEmpty)
    }
}

/// A generator whose every run is the same.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
