import Support

/// One server for the tests that read, or that write under names of their own.
///
/// It lives as long as the test process; the `Reaper` of Support ends it.
actor SharedServer {
    private static let shared = SharedServer()

    private var starting: Task<ServerChild, any Error>?

    /// The server, started by whoever asks first.
    static func get() async throws -> ServerChild { try await shared.started() }

    private func started() async throws -> ServerChild {
        if let starting { return try await starting.value }
        let task = Task {
            // Out of turn: half of the tests wait for this one.
            let server = try ServerSite().launch()
            try await server.waitUntilReady()
            _ = try await server.site.administratorToken(server)
            return server
        }
        starting = task
        return try await task.value
    }
}
