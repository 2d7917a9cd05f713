import HTTP
import Reactor
import Transport
import Wire

/// One GET over and over on some connections that stay open.
struct ReadLoad: Sendable {
    let site: Site
    let token: String
    let target: String
    let connectionCount: Int

    /// Answers per second; the cost of the server is for the caller to look up.
    func measure(seconds: Double) async throws -> String {
        let thread = try ReactorThread(name: "load")
        var fields = HeaderFields()
        try fields.append(.authorization, "Bearer \(token)")
        let head = fields
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<connectionCount {
                let client = try site.client(on: thread.reactor)
                group.addTask(executorPreference: thread.reactor) {
                    var count = 0
                    while ContinuousClock.now < end {
                        let answer = try await client.send(.get, target, fields: head)
                        guard answer.head.status == .ok else {
                            throw BenchError("\(target): \(answer.head.status.code)")
                        }
                        count += 1
                    }
                    await client.close()
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        let took = (ContinuousClock.now - start) / .seconds(1)
        thread.stop()
        return #"{"answers":\#(count),"seconds":\#(took),"per_s":\#(Double(count) / took)}"#
    }
}
