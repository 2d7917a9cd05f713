import Reactor
import Testing

@testable import DataPlane

/// What passes between a program and a target, and what is recorded of it.
@Suite struct PostgresSessionTests {
    private static let nonce = "0123456789abcdef0123456789abcdef"
    private static let word = "turnpike_refused_\(nonce)"
    private static let start = Reactor.Instant.now

    /// A session with the two ends in its hands.
    private struct Talk {
        var session: PostgresSession
        var now = PostgresSessionTests.start

        init(
            _ rules: StatementRules = StatementRules(),
            _ parameters: [String: String] = [:]
        ) {
            var welcome = PostgresLogin.Welcome()
            welcome.parameters = parameters
            session = PostgresSession(
                rules: rules,
                welcome: welcome,
                nonce: PostgresSessionTests.nonce
            )
        }

        /// What reaches the target of what the program says.
        mutating func say(_ bytes: [UInt8]) throws(PostgresFault) -> [UInt8] {
            try session.receiveFromApplication(bytes.span, at: now).all(of: bytes.span)
        }

        /// What reaches the program of what the target says.
        mutating func answer(_ bytes: [UInt8]) throws(PostgresFault) -> [UInt8] {
            try session.receiveFromTarget(bytes.span, at: now).all(of: bytes.span)
        }

        /// How the statements ended, each as one text.
        mutating func records() -> [String] {
            session.takeRecords().records.map { record in
                let end =
                    switch record.outcome {
                    case .done(let rows): "rows=\(rows.map(String.init) ?? "-")"
                    case .failed(let code): "code=\(code ?? "-")"
                    case .refused(let refusal): "refused=\(refusal.rawValue)"
                    }
                return "\(record.kind.rawValue) \(record.fingerprint?.shape ?? "-") \(end)"
            }
        }
    }

    private static let refusedQuery = PostgresWire.query(word)
    private static let refusedParse = PostgresWire.parse("", word)
    private static let targetsError = PostgresWire.error(
        "42601",
        "syntax error at or near \"\(word)\""
    )

    @Test func whatIsAllowedPassesUnchanged() throws {
        var talk = Talk()
        let query = PostgresWire.query("SELECT 1 FROM t WHERE a = 'secret'")
        #expect(try talk.say(query) == query)
        #expect(!talk.session.isIdle)
        talk.now = talk.now.advanced(by: .milliseconds(5))
        let answer =
            PostgresWire.message("T", [9]) + PostgresWire.message("D", [1, 2])
            + PostgresWire.complete("SELECT 1") + PostgresWire.ready("I")
        #expect(try talk.answer(answer) == answer)
        #expect(talk.session.isIdle)
        let taken = talk.session.takeRecords()
        #expect(taken.lost == 0 && taken.records.count == 1)
        #expect(taken.records.first?.duration == .milliseconds(5))
        #expect(taken.records.first?.outcome == .done(rows: 1))
        #expect(taken.records.first?.fingerprint?.shape == "select ? from t where a = ?")
    }

    /// Nothing is copied where nothing is changed.
    @Test func chunksPassAsTheyAre() throws {
        var talk = Talk()
        let rows = (0..<50).flatMap { PostgresWire.message("D", [UInt8($0)]) }
        let passage = try talk.session.receiveFromTarget(rows.span, at: talk.now)
        #expect(passage.bytes.isEmpty && passage.range == 0..<rows.count)
        let batch = PostgresWire.parse("", "SELECT 1") + PostgresWire.bind("", "", [1, 2, 3])
        let forward = try talk.session.receiveFromApplication(batch.span, at: talk.now)
        #expect(forward.bytes.isEmpty && forward.range == 0..<batch.count)
    }

    /// Wherever the bytes are cut, the same goes on and the same is recorded.
    @Test(arguments: [1, 2, 7, 100])
    func cutsChangeNothing(count: Int) throws {
        let said =
            PostgresWire.parse("s", "SELECT $1") + PostgresWire.bind("p", "s", [4, 5])
            + PostgresWire.execute("p") + PostgresWire.sync
            + PostgresWire.query("SET ROLE x") + PostgresWire.query("COMMIT")
        let answered =
            PostgresWire.message("1") + PostgresWire.message("2")
            + PostgresWire.message("D", [UInt8](repeating: 1, count: 99))
            + PostgresWire.complete("SELECT 7") + PostgresWire.ready("I") + Self.targetsError
            + PostgresWire.ready("I") + PostgresWire.complete("COMMIT") + PostgresWire.ready("I")
        var whole = Talk()
        var cut = Talk()
        let forward = try whole.say(said)
        let back = try whole.answer(answered)
        var pieces: [UInt8] = []
        for start in stride(from: 0, to: said.count, by: count) {
            pieces += try cut.say(Array(said[start..<min(start + count, said.count)]))
        }
        #expect(pieces == forward)
        pieces = []
        for start in stride(from: 0, to: answered.count, by: count) {
            pieces += try cut.answer(Array(answered[start..<min(start + count, answered.count)]))
        }
        #expect(pieces == back)
        let expected = [
            "session set role x refused=role_change", "select select ? rows=7",
            "transaction commit rows=-",
        ]
        #expect(whole.records() == expected)
        #expect(cut.records() == expected)
        #expect(whole.session.isIdle && cut.session.isIdle)
    }

    @Test func refusedQueriesNeverLeaveTheHost() throws {
        var talk = Talk()
        let said = PostgresWire.query("SELECT 1; SET ROLE boss")
        #expect(try talk.say(said) == Self.refusedQuery)
        let answer = try talk.answer(Self.targetsError + PostgresWire.ready("E"))
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.contains("C42501") && text.contains("refused by the agent"))
        #expect(!text.contains(Self.nonce))
        #expect(answer.suffix(6) == PostgresWire.ready("E")[...])
        #expect(talk.session.transaction == .failed && !talk.session.isIdle)
        #expect(
            talk.records() == [
                "select select ? refused=role_change", "session set role boss refused=role_change",
            ]
        )
    }

    /// After a refusal nothing goes on until the program asks for the end of the round.
    @Test func refusedParsesSkipToTheNextSync() throws {
        var talk = Talk()
        let before =
            PostgresWire.parse("", "SELECT 1") + PostgresWire.bind("", "")
            + PostgresWire.execute()
        let refused = PostgresWire.parse("x", "LISTEN c")
        let skipped =
            PostgresWire.message("D", [0x53, 0]) + PostgresWire.bind("", "x", [1])
            + PostgresWire.execute() + PostgresWire.parse("y", "SELECT 2")
            + PostgresWire.query("SELECT 3") + PostgresWire.message("F", [1, 2, 3])
            + PostgresWire.message("H")
        let after = PostgresWire.sync + PostgresWire.query("SELECT 4")
        #expect(
            try talk.say(before + refused + skipped + after) == before + Self.refusedParse + after
        )
        let answers =
            PostgresWire.message("1") + PostgresWire.message("2")
            + PostgresWire.complete("SELECT 1") + Self.targetsError + PostgresWire.ready("I")
            + PostgresWire.complete("SELECT 4") + PostgresWire.ready("I")
        let text = String(decoding: try talk.answer(answers), as: UTF8.self)
        #expect(text.contains("does not declare that it listens"))
        #expect(
            talk.records() == [
                "notification listen c refused=listening", "select select ? rows=1",
                "select select ? rows=4",
            ]
        )
        #expect(talk.session.isIdle)
    }

    /// An error before the refused statement is the target's own, and the refused one is not reached.
    @Test func errorsOfTheTargetStayItsOwn() throws {
        var talk = Talk()
        _ = try talk.say(
            PostgresWire.parse("", "SELECT 1/0") + PostgresWire.bind("", "")
                + PostgresWire.execute() + PostgresWire.parse("", "SET ROLE x")
                + PostgresWire.sync + PostgresWire.query("SET ROLE y")
        )
        let own = PostgresWire.error("22012", "division by zero") + PostgresWire.ready("I")
        #expect(try talk.answer(own) == own)
        let text = String(
            decoding: try talk.answer(Self.targetsError + PostgresWire.ready("I")),
            as: UTF8.self
        )
        #expect(text.contains("nobody may change"))
        #expect(
            talk.records() == [
                "session set role x refused=role_change",
                "session set role y refused=role_change", "select select ? / ? code=22012",
            ]
        )
        #expect(talk.session.isIdle)
    }

    @Test func functionCallsAreRefused() throws {
        var talk = Talk()
        #expect(try talk.say(PostgresWire.message("F", [0, 0, 3, 0])) == Self.refusedQuery)
        _ = try talk.answer(Self.targetsError + PostgresWire.ready("I"))
        #expect(talk.records() == ["routine - refused=function_call"])
        #expect(talk.session.isIdle)
    }

    @Test func preparedStatementsAreKnownByTheirNames() throws {
        var talk = Talk()
        _ = try talk.say(
            PostgresWire.parse("s", "UPDATE t SET a = $1", types: 1) + PostgresWire.sync
        )
        _ = try talk.answer(PostgresWire.message("1") + PostgresWire.ready("I"))
        _ = try talk.say(
            PostgresWire.bind("", "s") + PostgresWire.execute() + PostgresWire.bind("", "other")
                + PostgresWire.execute() + PostgresWire.sync
        )
        _ = try talk.answer(
            PostgresWire.message("2") + PostgresWire.complete("UPDATE 12")
                + PostgresWire.error("26000", "no such statement") + PostgresWire.ready("I")
        )
        #expect(
            talk.records() == ["update update t set a = ? rows=12", "unknown - code=26000"]
        )
        _ = try talk.say(
            PostgresWire.message("C", [0x53] + PostgresWire.text("s"))
                + PostgresWire.bind("", "s") + PostgresWire.execute() + PostgresWire.sync
        )
        _ = try talk.answer(PostgresWire.complete("UPDATE 1"))
        #expect(talk.records() == ["unknown - rows=1"])
    }

    /// Settings that decide how text is read are followed; other encodings are not read at all.
    @Test func theSessionsSettingsAreFollowed() throws {
        let hidden = PostgresWire.query("SELECT '\\'; SET ROLE x; --'")
        var talk = Talk()
        #expect(try talk.say(hidden) == Self.refusedQuery)
        _ = try talk.answer(
            Self.targetsError + PostgresWire.ready("I")
                + PostgresWire.parameter("standard_conforming_strings", "off")
        )
        #expect(try talk.say(hidden) == hidden)
        let other = PostgresWire.query("SELECT 1")
        var foreign = Talk(StatementRules(), ["client_encoding": "SJIS"])
        #expect(try foreign.say(other) == Self.refusedQuery)
        #expect(foreign.records() == ["unknown - refused=encoding"])
    }

    /// A `Sync` in the middle of a copy is not answered, and none is waited for.
    @Test func copiesEndAsTheyShould() throws {
        var talk = Talk()
        _ = try talk.say(
            PostgresWire.parse("", "COPY t FROM STDIN") + PostgresWire.bind("", "")
                + PostgresWire.execute() + PostgresWire.sync
        )
        _ = try talk.answer(
            PostgresWire.message("1") + PostgresWire.message("2")
                + PostgresWire.message("G", [0, 0, 0])
        )
        let data = PostgresWire.message("d", [UInt8](repeating: 65, count: 5_000))
        #expect(try talk.say(data + PostgresWire.sync) == data + PostgresWire.sync)
        #expect(!talk.session.isIdle)
        _ = try talk.say(PostgresWire.message("c") + PostgresWire.sync)
        _ = try talk.answer(PostgresWire.complete("COPY 5") + PostgresWire.ready("I"))
        #expect(talk.records() == ["copy_in copy t from stdin rows=5"])
        #expect(talk.session.isIdle)
        _ = try talk.say(PostgresWire.query("COPY t FROM STDIN"))
        _ = try talk.answer(PostgresWire.message("G", [0, 0, 0]))
        _ = try talk.say(data + PostgresWire.message("f", [0]))
        _ = try talk.answer(PostgresWire.error("57014", "copy failed") + PostgresWire.ready("I"))
        #expect(talk.records() == ["copy_in copy t from stdin code=57014"])
        #expect(talk.session.isIdle)
    }

    /// Only between messages, and only when nothing is open, is a session idle.
    @Test func idleIsNothingOpenAnywhere() throws {
        var talk = Talk()
        #expect(talk.session.isIdle && !talk.session.farewell().isEmpty)
        _ = try talk.say([0x51])
        #expect(!talk.session.isIdle)
        _ = try talk.say(Array(PostgresWire.query("BEGIN").dropFirst()))
        _ = try talk.answer(PostgresWire.complete("BEGIN") + PostgresWire.ready("T"))
        #expect(!talk.session.isIdle && talk.session.transaction == .open)
        #expect(!talk.session.farewell().isEmpty)
        _ = try talk.answer([0x44, 0, 0, 0, 9, 1])
        #expect(talk.session.farewell().isEmpty)
        _ = try talk.answer([2, 3, 4, 5])
        #expect(talk.session.farewell().contains(UInt8(ascii: "F")))
        #expect(
            String(decoding: talk.session.farewell(), as: UTF8.self).contains("C57P01")
        )
    }

    @Test func goodbyeIsTheLastWord() throws {
        var talk = Talk()
        let goodbye = PostgresWire.message("X")
        #expect(try talk.say(goodbye + PostgresWire.query("SELECT 1")) == goodbye)
        #expect(talk.session.hasTerminated)
    }

    @Test func boundsHold() throws {
        var talk = Talk()
        #expect(!talk.session.isFull)
        let batch = PostgresWire.parse("", "SELECT 1") + PostgresWire.bind("", "")
        _ = try talk.say(batch)
        for _ in 0..<PostgresLimits.pendingMax { _ = try talk.say(PostgresWire.execute()) }
        #expect(talk.session.isFull)
        for _ in 0..<PostgresLimits.pendingMax {
            _ = try talk.answer(PostgresWire.complete("SELECT 1"))
        }
        #expect(!talk.session.isFull)
        let taken = talk.session.takeRecords()
        #expect(taken.records.count == PostgresLimits.recordsMax)
        #expect(taken.lost == PostgresLimits.pendingMax - PostgresLimits.recordsMax)
        #expect(talk.session.takeRecords().lost == 0)
    }

    @Test(arguments: [
        PostgresWire.message("Q"), PostgresWire.message("Q", [0x41]),
        PostgresWire.message("Q", [0x41, 0, 0x42, 0]), PostgresWire.message("Q", [0, 0]),
        PostgresWire.message("P", [0, 0x41, 0]), PostgresWire.message("P", [0, 0x41, 0, 0]),
        PostgresWire.message("P", [0, 0x41, 0, 0, 1]), PostgresWire.message("P", [0x41]),
        PostgresWire.message("P", [0, 0, 0, 0, 9]), PostgresWire.message("B", [0x41, 0x41]),
        PostgresWire.message("B", [0]), PostgresWire.message("E", [0, 0]),
        PostgresWire.message("E", [0x41, 0x41, 0x41, 0x41, 0x41]), PostgresWire.message("C"),
        PostgresWire.message("C", [0x41, 0]), PostgresWire.message("p", [0]),
    ])
    func malformedMessagesEndTheSession(bytes: [UInt8]) {
        var talk = Talk()
        #expect(throws: PostgresFault.self) { try talk.say(bytes) }
    }

    @Test(arguments: [
        PostgresWire.ready("Q"), PostgresWire.message("Z"),
        PostgresWire.message("R", [0, 0, 0, 0]),
        PostgresWire.message("K", [0, 0, 0, 1, 2]), PostgresWire.message("S", [0x41]),
        PostgresWire.message("v"),
    ])
    func targetsThatSayTheUnexpectedEndTheSession(bytes: [UInt8]) {
        var talk = Talk()
        #expect(throws: PostgresFault.self) { try talk.answer(bytes) }
    }

    @Test(
        arguments: [
            ("SELECT 3", 3), ("INSERT 0 5", 5), ("BEGIN", nil), ("CREATE TABLE", nil), ("", nil),
            ("COPY 18446744073709551615", 18_446_744_073_709_551_615), ("SELECT x", nil),
        ] as [(String, UInt64?)]
    )
    func rowsAreTheLastNumberOfTheTag(tag: String, rows: UInt64?) {
        #expect(CommandTag.rows(PostgresWire.text(tag)) == rows)
        #expect(CommandTag.rows(Array(tag.utf8)) == nil)
    }
}
