import HTTP
import Reactor
import Transport
import Wire

/// Credentials asked for over and over on some connections that stay open.
struct IssueLoad: Sendable {
    let site: Site
    /// Each may hold only so many leases, so they take turns.
    let tokens: [String]
    let leasesPerToken: Int
    /// The request for one lease, as JSON.
    let body: [UInt8]
    let connectionCount: Int

    /// How long all of them took, and how long each.
    func measure(count: Int) async throws -> String {
        guard count <= tokens.count * leasesPerToken else {
            throw BenchError("\(tokens.count) tokens may not hold \(count) leases")
        }
        let thread = try ReactorThread(name: "load")
        let start = ContinuousClock.now
        let times = try await withThrowingTaskGroup(of: [Double].self) { group in
            for first in 0..<connectionCount {
                let client = try site.client(on: thread.reactor)
                group.addTask(executorPreference: thread.reactor) {
                    var times: [Double] = []
                    // Neighbours have different tokens: each token's leases take turns.
                    for number in stride(from: first, to: count, by: connectionCount) {
                        times.append(try await issue(with: tokens[number % tokens.count], client))
                    }
                    await client.close()
                    return times
                }
            }
            return try await group.reduce(into: [Double]()) { $0 += $1 }
        }
        let took = (ContinuousClock.now - start) / .seconds(1)
        thread.stop()
        let ordered = times.sorted()
        let p50 = ordered[ordered.count / 2]
        let p99 = ordered[min(ordered.count - 1, ordered.count * 99 / 100)]
        return #"{"count":\#(count),"seconds":\#(took),"p50_ms":\#(p50),"p99_ms":\#(p99)}"#
    }

    /// Milliseconds for one.
    private func issue(with token: String, _ client: HTTPClient) async throws -> Double {
        var fields = HeaderFields()
        try fields.append(.authorization, "Bearer \(token)")
        try fields.append(.contentType, "application/json")
        let start = ContinuousClock.now
        let answer = try await client.send(.post, "/v1/leases", fields: fields, body: body)
        guard answer.head.status.isSuccess else {
            let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
            throw BenchError("a lease: \(answer.head.status.code) \(text)")
        }
        return (ContinuousClock.now - start) / .milliseconds(1)
    }
}
