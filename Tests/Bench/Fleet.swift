import DataPlane
import Foundation
import Mesh
import Reactor
import Snapshot
import TLS
import Transport
import Wire

/// Many agents in one process, at the orders of whoever measures.
///
/// Orders, one per line: `connect` starts all streams; `wait REVISION SECONDS` answers, when every
/// agent enforces that revision or the time is up, with the wall-clock nanoseconds of their
/// acknowledgements; `first SECONDS` the same for each stream's first; `end`, or the end of the
/// orders, ends it.
struct Fleet {
    private static let lookPause = Duration.milliseconds(100)

    private let thread: ReactorThread
    private let agents: [FleetAgent]

    init(address: String, stateFile: String) throws {
        guard let address = SocketAddress(address) else {
            throw BenchError("'\(address)' is no address with a port")
        }
        let held = try EnrolledAgents(file: stateFile)
        let trustDomain = held.trust.document.trustDomain
        let roots = try MeshRoots(
            certificates: held.trust.document.authorities.map(\.certificate),
            trustDomain: trustDomain
        )
        let context = try TLSContext(
            client: TLSClientConfiguration(
                verifier: ServerTrust.verifier(roots, now: { Cost.now }),
                applicationProtocols: [ServerTrust.applicationProtocol],
                requiresApplicationProtocol: true
            )
        )
        let thread = try ReactorThread(name: "fleet")
        self.thread = thread
        agents = try held.agents.map { agent in
            try FleetAgent(
                agent,
                trust: held.trust,
                address: address,
                context: context,
                serverName: ServerTrust.serverName(in: trustDomain),
                on: thread.reactor
            )
        }
    }

    func obey() async throws {
        Program.say(#"{"agents":\#(agents.count)}"#)
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            switch (words.first, words.count) {
            case ("connect", 1):
                for agent in agents {
                    Task(executorPreference: thread.reactor) { await agent.run() }
                }
                Program.say(#"{"started":\#(agents.count)}"#)
            case ("wait", 3):
                guard let revision = UInt64(words[1]), let limit = Double(words[2]) else {
                    throw BenchError("wait REVISION SECONDS")
                }
                Program.say(
                    await report(within: limit) { record in
                        record.revision >= revision ? record.acknowledgedAt : nil
                    }
                )
            case ("first", 2):
                guard let limit = Double(words[1]) else { throw BenchError("first SECONDS") }
                Program.say(await report(within: limit) { $0.firstAt })
            case ("end", 1): return
            default: throw BenchError("no such order: \(line)")
            }
        }
    }

    private func report(
        within seconds: Double,
        _ time: (FleetAgent.Record) -> Int64?
    ) async -> String {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            var records: [FleetAgent.Record] = []
            // Looked at only now and then: the looking itself costs the agents' processor.
            for agent in agents { records.append(await agent.record) }
            let times = records.compactMap(time)
            if times.count == agents.count || ContinuousClock.now >= deadline {
                let problem = records.first { time($0) == nil }?.problem
                return Self.line(times, missing: agents.count - times.count, problem)
            }
            try? await Task.sleep(for: Self.lookPause)
        }
    }

    private static func line(_ times: [Int64], missing: Int, _ problem: String?) -> String {
        let document = Document.fields([
            "times": .list(times.map { .number($0) }),
            "missing": .number(missing),
            "problem": problem.map { .string($0) },
        ])
        return String(decoding: JSON.canonical(document), as: UTF8.self)
    }
}
