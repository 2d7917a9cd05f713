import DataPlane
import Testing

/// How programs begin: what they get, and what they are told when they get nothing.
@Suite struct PostgresGreetingTests {
    private static let tls = PostgresWire.number(8) + PostgresWire.number(80_877_103)
    private static let gss = PostgresWire.number(8) + PostgresWire.number(80_877_104)

    private func greet(
        _ bytes: [UInt8],
        rules: StatementRules = StatementRules(),
        pieceByteCount: Int = 10_000
    ) throws(PostgresRefusal) -> [PostgresGreeting.Event] {
        var greeting = PostgresGreeting(rules: rules)
        var events: [PostgresGreeting.Event] = []
        for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
            let piece = Array(bytes[start..<min(start + pieceByteCount, bytes.count)])
            var offset = 0
            while offset < piece.count {
                let event = try greeting.receive(piece, from: &offset)
                if event != .incomplete { events.append(event) }
                if case .start = event { return events }
            }
        }
        return events
    }

    private func start(
        _ options: [(String, String)],
        version: Int = 3 << 16,
        rules: StatementRules = StatementRules()
    ) throws(PostgresRefusal) -> PostgresStart? {
        let bytes = PostgresWire.start([("user", "any")] + options, version: version)
        guard case .start(let start) = try greet(bytes, rules: rules).last else { return nil }
        return start
    }

    @Test(arguments: [1, 3, 4, 8, 10_000])
    func encryptionIsDeclinedAndTheSessionBegins(count: Int) throws {
        let bytes =
            Self.gss + Self.tls
            + PostgresWire.start([("user", "any"), ("database", "orders")])
        let events = try greet(bytes, pieceByteCount: count)
        #expect(events.count == 3)
        #expect(events.prefix(2) == [.declined, .declined])
        guard case .start(let start) = events.last else {
            Issue.record("no session: \(events)")
            return
        }
        #expect(start.user == "any" && start.database == "orders" && start.options.isEmpty)
        #expect(start.negotiation.isEmpty && start.cancelKeyByteCount == 4)
    }

    @Test func optionsOfTheListAreKeptOnce() throws {
        let start = try #require(
            try start([
                ("application_name", "shop"), ("TimeZone", "UTC"), ("client_encoding", "utf-8"),
                ("options", "-c statement_timeout=5s --lock-timeout=1s -cgeqo=off"),
                ("options", "-c search_path=a,\\ b"), ("replication", "false"),
                ("timezone", "Europe/Berlin"),
            ])
        )
        #expect(
            start.options.map { "\($0.name)=\($0.value)" } == [
                "application_name=shop", "client_encoding=utf-8", "statement_timeout=5s",
                "lock_timeout=1s", "geqo=off", "search_path=a, b", "timezone=Europe/Berlin",
            ]
        )
    }

    @Test(arguments: [
        ("role", "postgres"), ("Role", "postgres"), ("session_authorization", "postgres"),
        ("replication", "database"), ("replication", "true"), ("options", "-c role=postgres"),
        ("options", "--ROLE=postgres"), ("options", "--session-authorization=postgres"),
        ("options", "-c statement_timeout=0"), ("statement_timeout", "0"),
        ("Statement_Timeout", "0"), ("options", "-c default_transaction_read_only=off"),
        ("transaction_read_only", "off"),
    ])
    func optionsThatChangeTheLeaseAreRefused(name: String, value: String) {
        let rules = StatementRules(
            settings: ["statement_timeout", "default_transaction_read_only"]
        )
        do {
            _ = try start([(name, value)], rules: rules)
            Issue.record("\(name)=\(value) went through")
        } catch {
            guard case .guardedOption = error else {
                Issue.record("\(name)=\(value): \(error)")
                return
            }
            #expect(error.sqlState == "42501")
        }
    }

    @Test(arguments: [
        ("log_statement", "all"), ("client_encoding", "SJIS"), ("client_encoding", "GBK"),
        ("client_encoding", ""), ("options", "-c"), ("options", "role"), ("options", "-d 5"),
        ("options", "-c role"), ("standard_conforming_strings", "off"),
        ("options", "-c standard_conforming_strings=off"), ("session_preload_libraries", "x"),
    ])
    func otherOptionsAreRefusedByName(name: String, value: String) {
        #expect(throws: PostgresRefusal.self) { try start([(name, value)]) }
    }

    @Test func newerMinorVersionsAreNegotiated() throws {
        let newest = try #require(try start([], version: 3 << 16 | 2))
        #expect(newest.minorVersion == 2 && newest.negotiation.isEmpty)
        #expect(newest.cancelKeyByteCount == PostgresLimits.cancelKeyByteCount)
        let future = try #require(
            try start([("_pq_.wish", "1")], version: 3 << 16 | 9_999)
        )
        #expect(
            future.negotiation
                == PostgresWire.message(
                    "v",
                    PostgresWire.number(3 << 16 | 2) + PostgresWire.number(1)
                        + PostgresWire.text("_pq_.wish")
                )
        )
        // There never was a 3.1.
        let reserved = try #require(try start([], version: 3 << 16 | 1))
        #expect(reserved.minorVersion == 0)
        #expect(
            reserved.negotiation
                == PostgresWire.message("v", PostgresWire.number(3 << 16) + PostgresWire.number(0))
        )
    }

    @Test func cancellationsNameASessionAndItsSecret() throws {
        let body = PostgresWire.number(80_877_102) + PostgresWire.number(7) + [1, 2, 3, 4]
        let events = try greet(PostgresWire.number(body.count + 4) + body)
        #expect(events == [.cancel(PostgresCancelKey(process: 7, secret: [1, 2, 3, 4]))])
        let empty = PostgresWire.number(12) + PostgresWire.number(80_877_102) + [0, 0, 0, 7]
        #expect(throws: PostgresRefusal.startMalformed) { try greet(empty) }
        let long = Array(body.dropLast(4)) + [UInt8](repeating: 1, count: 257)
        #expect(throws: PostgresRefusal.startMalformed) {
            try greet(PostgresWire.number(long.count + 4) + long)
        }
    }

    @Test(arguments: [
        // A TLS record, lengths out of bounds, TLS asked for twice, and texts without an end.
        ([0x16, 3, 1, 2, 0], PostgresRefusal.directTLS),
        (PostgresWire.number(7) + [0, 3, 0], .startMalformed),
        (PostgresWire.number(10_001), .startMalformed), ([0x80, 0, 0, 8], .startMalformed),
        (tls + tls, .startMalformed), (gss + gss, .startMalformed),
        (PostgresWire.number(9) + PostgresWire.number(3 << 16) + [0x75], .startMalformed),
        (
            PostgresWire.number(17) + PostgresWire.number(3 << 16) + PostgresWire.text("geqo")
                + PostgresWire.text("on") + [0x75],
            .startMalformed
        ),
        (PostgresWire.number(10) + PostgresWire.number(3 << 16) + [0, 0], .startMalformed),
        (PostgresWire.start([("user", "x")], version: 2 << 16), .protocolVersion),
        (PostgresWire.start([("database", "x")]), .userMissing),
        (PostgresWire.start([("user", "")]), .userMissing),
        (
            PostgresWire.start([(String, String)](repeating: ("geqo", "on"), count: 33)),
            .startMalformed
        ),
    ])
    func whatIsNoStartIsRefused(bytes: [UInt8], refusal: PostgresRefusal) {
        for count in [1, 10_000] {
            #expect(throws: refusal) { try greet(bytes, pieceByteCount: count) }
        }
        #expect(refusal.bytes.first == UInt8(ascii: "E"))
    }

    @Test func nothingBehindTheStartIsTaken() throws {
        let start = PostgresWire.start([("user", "any")])
        var greeting = PostgresGreeting(rules: StatementRules())
        var offset = 0
        let event = try greeting.receive(start + PostgresWire.query("SELECT 1"), from: &offset)
        guard case .start = event else {
            Issue.record("\(event)")
            return
        }
        #expect(offset == start.count)
    }
}

/// Keys of the agent's own stand for those of targets.
@Suite struct PostgresCancelKeysTests {
    private static let random: [UInt8] = [0x80, 0, 0, 5, 9, 8, 7, 6]
    private static let session = PostgresCancelKeys.Session(
        key: PostgresCancelKey(process: 4_711, secret: [1, 2, 3, 4]),
        port: 15_432
    )

    @Test func onlyTheWholeKeyCancelsAndOnlyThroughItsPort() throws {
        var keys = PostgresCancelKeys(capacity: 2)
        let issued = keys.issue(for: Self.session, random: Self.random)
        let key = try #require(issued)
        #expect(key.process == 5 && key.secret == [9, 8, 7, 6])
        #expect(keys.session(of: key, port: 15_432) == Self.session)
        #expect(keys.session(of: key, port: 15_433) == nil)
        for secret in [[9, 8, 7], [9, 8, 7, 5], [], [9, 8, 7, 6, 0], [1, 2, 3, 4]] as [[UInt8]] {
            let other = PostgresCancelKey(process: 5, secret: secret)
            #expect(keys.session(of: other, port: 15_432) == nil)
        }
        keys.remove(key)
        #expect(keys.session(of: key, port: 15_432) == nil)
        #expect(keys.count == 0)
    }

    @Test func keysAreFewAndEachIsAnother() {
        var keys = PostgresCancelKeys(capacity: 2)
        let issued = [
            [0, 0, 0, 1], [0x80, 0, 0, 0, 1], Self.random, Self.random,
            [0, 0, 0, 6, 1, 1, 1, 1], [0, 0, 0, 7, 1, 1, 1, 1],
        ].map { keys.issue(for: Self.session, random: $0)?.process }
        #expect(issued == [nil, nil, 5, nil, 6, nil])
    }
}
