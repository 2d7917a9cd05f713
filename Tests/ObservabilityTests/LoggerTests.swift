import Observability
import Synchronization
import Testing

@Suite struct LoggerTests {
    private final class Collected: Sendable {
        let records = Mutex<[LogRecord]>([])

        func logger(_ level: LogLevel) -> Logger {
            Logger(minimumLevel: level) { record in self.records.withLock { $0.append(record) } }
        }
    }

    @Test func recordsKeepTheOrderOfFields() {
        let collected = Collected()
        let logger = collected.logger(.info).with(["agent": "a1"])
        logger.warning("leaf is close to its end", ["service": .text("web"), "tries": 3])
        let record = collected.records.withLock { $0.first }
        #expect(record?.level == .warning)
        #expect(record?.message == "leaf is close to its end")
        #expect(record?.fields.map(\.name) == ["agent", "service", "tries"])
        #expect(record?.fields.last?.value == .integer(3))
    }

    @Test func levelsBelowTheMinimumAreNotEvenComputed() {
        let collected = Collected()
        let logger = collected.logger(.warning)
        func fields() -> Logger.Fields {
            Issue.record("fields of a suppressed record were computed")
            return [:]
        }
        logger.info("quiet", fields())
        logger.debug("quiet", fields())
        logger.error("loud")
        #expect(collected.records.withLock { $0.map(\.message) } == ["loud"])
    }

    @Test func fieldsAreBounded() {
        let collected = Collected()
        var logger = collected.logger(.debug)
        for _ in 0..<20 { logger = logger.with(["a": 1, "b": 2]) }
        logger.debug("many")
        let record = collected.records.withLock { $0.first }
        #expect(record?.fields.count == LogRecord.fieldsMax)
        #expect(record?.fieldsDropped == 8)
    }
}
