import Postgres
import Reactor
import Support
import Synchronization
import Testing

@Suite struct PostgresListenerTests {
    @Test func hearsAgainAfterItsConnectionWasKilled() async throws {
        try await TestDatabase.withEmpty { database in
            var settings = database.settings()
            settings.applicationName = "listener-under-test"
            let listener = PostgresListener(
                settings,
                channels: [PostgresChannel("revision")],
                on: TestDatabase.reactor
            ) { 0.5 }
            let heard = Heard()
            let listening = Task { await listener.run { heard.add($0) } }
            let other = try await database.connect()
            try await heard.wait { $0.contains(.listening) }
            try await other.query("SELECT pg_notify('revision', 'one')")
            try await heard.wait { $0.payloads == ["one"] }
            try await other.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'listener-under-test'
                """
            )
            try await heard.wait { events in events.count { $0 == .listening } == 2 }
            try await other.query("SELECT pg_notify('revision', 'two')")
            try await heard.wait { $0.payloads == ["one", "two"] }
            let losses = heard.all.count { event in
                if case .lost = event { return true }
                return false
            }
            #expect(losses == 1)
            listening.cancel()
            await listening.value
            await other.close()
        }
    }
}

private final class Heard: Sendable {
    private let events = Mutex<[PostgresListener.Event]>([])

    var all: [PostgresListener.Event] { events.withLock { $0 } }

    func add(_ event: PostgresListener.Event) { events.withLock { $0.append(event) } }

    func wait(_ condition: ([PostgresListener.Event]) -> Bool) async throws {
        for _ in 0..<3_000 where !condition(all) {
            try await TestDatabase.reactor.sleep(for: .milliseconds(10))
        }
        try #require(condition(all))
    }
}

extension [PostgresListener.Event] {
    fileprivate var payloads: [String] {
        compactMap { event in
            guard case .notified(let notification) = event else { return nil }
            return notification.payload
        }
    }
}
