import Testing

@testable import Postgres

@Suite struct SessionCommandTests {
    @Test(arguments: TransactionIsolation.allCases)
    func beginNamesIsolationAndAccess(isolation: TransactionIsolation) {
        let words: [TransactionIsolation: String] = [
            .readCommitted: "READ COMMITTED", .repeatableRead: "REPEATABLE READ",
            .serializable: "SERIALIZABLE",
        ]
        let expected = words[isolation] ?? "?"
        let writing = SessionCommand.begin(isolation, .readWrite).text
        let reading = SessionCommand.begin(isolation, .readOnly).text
        #expect(writing == "BEGIN ISOLATION LEVEL \(expected) READ WRITE")
        #expect(reading == "BEGIN ISOLATION LEVEL \(expected) READ ONLY")
    }

    @Test func listenNamesTheChannel() {
        #expect(SessionCommand.listen(PostgresChannel("revision")).text == "LISTEN revision")
    }
}
