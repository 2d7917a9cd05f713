package import Reactor

/// Listens to channels on a connection of its own, which it makes anew whenever it is lost.
///
/// Notifications only wake: those sent while there was no connection are gone, so every
/// `listening` means "read again what may have changed".
package struct PostgresListener: Sendable {
    /// What a listener hears.
    package enum Event: Equatable, Sendable {
        /// From here on nothing is missed, until `lost`.
        case listening
        case notified(PostgresNotification)
        case lost(PostgresError)
        /// More than `PostgresLimits.notificationsMax` were waiting; the oldest are gone.
        case overrun
    }

    private let settings: PostgresSettings
    private let channels: [PostgresChannel]
    private let reactor: Reactor
    private let random: @Sendable () -> Double
    /// How often a silent connection is asked for a sign of life.
    package var signOfLifeInterval: Duration = .seconds(15)
    package var pauseMin: Duration = .milliseconds(100)
    package var pauseMax: Duration = .seconds(10)

    /// `random` gives numbers from 0 up to 1 for the jitter of pauses.
    package init(
        _ settings: PostgresSettings,
        channels: [PostgresChannel],
        on reactor: Reactor,
        random: @escaping @Sendable () -> Double
    ) {
        self.settings = settings
        self.channels = channels
        self.reactor = reactor
        self.random = random
    }

    /// Listens until the task is cancelled; events are handed over one after the other.
    package func run(_ body: (Event) async -> Void) async {
        var failures = 0
        while !Task.isCancelled {
            do throws(PostgresError) {
                try await listen(body) { failures = 0 }
            } catch {
                if Task.isCancelled { return }
                await body(.lost(error))
            }
            let doubled = pauseMin * (1 << min(failures, 16))
            failures += 1
            _ = try? await reactor.sleep(for: min(doubled, pauseMax) * (0.5 + 0.5 * random()))
        }
    }

    private func listen(
        _ body: (Event) async -> Void,
        begun: () -> Void
    ) async throws(PostgresError) {
        let connection = try await PostgresConnection.connect(settings, on: reactor)
        let outcome: Result<Void, PostgresError>
        do throws(PostgresError) {
            try await follow(connection, body, begun: begun)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await connection.close()
        try outcome.get()
    }

    private func follow(
        _ connection: PostgresConnection,
        _ body: (Event) async -> Void,
        begun: () -> Void
    ) async throws(PostgresError) {
        let limit = PostgresLimits.notificationsMax
        let (stream, feed) = AsyncStream.makeStream(
            of: Event.self,
            bufferingPolicy: .bufferingNewest(limit)
        )
        await connection.onNotification { notification in
            let result = feed.yield(.notified(notification))
            // What is dropped is the oldest, so the news about it takes the place of another one.
            if case .dropped = result { feed.yield(.overrun) }
        }
        await connection.onEnd { error in
            feed.yield(.lost(error))
            feed.finish()
        }
        for channel in channels { try await connection.listen(to: channel) }
        begun()
        await body(.listening)
        let heartbeat = Task(executorPreference: reactor) { await keepAlive(connection) }
        defer { heartbeat.cancel() }
        for await event in stream {
            if case .lost(let error) = event { throw error }
            await body(event)
        }
    }

    /// A dead network shows only when something is sent.
    private func keepAlive(_ connection: PostgresConnection) async {
        while !Task.isCancelled {
            _ = try? await reactor.sleep(for: signOfLifeInterval)
            if Task.isCancelled { return }
            do throws(PostgresError) {
                try await connection.query(
                    SessionCommand.signOfLife,
                    timeout: settings.answerGrace
                )
            } catch {
                return await connection.close()
            }
        }
    }
}
