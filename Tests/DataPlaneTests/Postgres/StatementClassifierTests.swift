import DataPlane
import Testing

/// What is always refused, however it is written, and what is not.
@Suite struct StatementClassifierTests {
    private static let rules = StatementRules(
        settings: ["statement_timeout", "default_transaction_read_only", "work_mem"]
    )

    private func judge(
        _ text: String,
        _ rules: StatementRules = StatementClassifierTests.rules,
        standardStrings: Bool = true
    ) -> StatementJudgement {
        StatementJudgement(Array(text.utf8), rules: rules, standardStrings: standardStrings)
    }

    @Test(arguments: [
        ("COPY t FROM PROGRAM 'id'", StatementRefusal.copyOnServer),
        ("copy t(a, b) to '/etc/passwd'", .copyOnServer),
        ("COPY (SELECT 1 FROM t TO) TO PROGRAM 'id'", .copyOnServer),
        ("COPY BINARY \"from\" FROM/**/PROGRAM $$id$$", .copyOnServer),
        ("COPY t FROM E'/etc/passwd'", .copyOnServer), ("COPY t", .copyOnServer),
        ("COPY (SELECT ' TO STDOUT') TO '/x'", .copyOnServer),
        ("SET ROLE postgres", .roleChange), ("set local role 'x'", .roleChange),
        ("UPDATE ONLY a.pg_catalog.pg_settings SET setting = 'x'", .guardedSetting),
        ("SET SESSION ROLE x", .roleChange), ("SET role = x", .roleChange),
        ("SET role TO x", .roleChange), ("SET \"role\" TO x", .roleChange),
        ("SET \"ROLE\" = x", .roleChange), ("SET LOCAL \"Role\" TO x", .roleChange),
        ("SET/**/ROLE/**/x", .roleChange), ("SET -- x\nROLE x", .roleChange),
        ("SET SESSION AUTHORIZATION x", .roleChange),
        ("SET LOCAL SESSION AUTHORIZATION x", .roleChange),
        ("SET SESSION SESSION AUTHORIZATION DEFAULT", .roleChange),
        ("SET session_authorization TO x", .roleChange), ("RESET ROLE", .roleChange),
        ("RESET \"role\"", .roleChange), ("RESET SESSION AUTHORIZATION", .roleChange),
        ("RESET session_authorization", .roleChange),
        ("ALTER ROLE current_user PASSWORD 'x'", .roleChange),
        ("ALTER USER u SET statement_timeout = 0", .roleChange),
        ("ALTER GROUP g ADD USER u", .roleChange),
        ("SET statement_timeout = 0", .guardedSetting),
        ("SET LOCAL Statement_Timeout TO 0", .guardedSetting),
        ("SET \"statement_timeout\" TO 0", .guardedSetting),
        ("SET sort_mem = '1GB'", .guardedSetting),
        ("SET transaction_read_only = off", .guardedSetting),
        ("BEGIN READ WRITE", .guardedSetting),
        ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE", .guardedSetting),
        ("SET TRANSACTION READ/**/WRITE", .guardedSetting),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", .guardedSetting),
        ("SET standard_conforming_strings = off", .guardedSetting),
        ("SET U&\"r\\006fle\" TO x", .unreadableSetting), ("SET", .unreadableSetting),
        ("SET client_encoding = 'SJIS'", .encoding), ("SET NAMES 'GBK'", .encoding),
        ("SET NAMES E'UTF8'", .encoding),
        ("SELECT set_config('role', 'x', false)", .roleChange),
        ("SELECT pg_catalog . SET_CONFIG /* x */ ( 'ROLE' , 'x', false)", .roleChange),
        ("SELECT \"set_config\"('statement_timeout', '0', true)", .guardedSetting),
        ("SELECT set_config('ro' || 'le', 'x', false)", .unreadableSetting),
        ("SELECT set_config(E'role', 'x', false)", .unreadableSetting),
        ("SELECT set_config($1, 'x', false)", .unreadableSetting),
        ("SELECT set_config(n, v, false) FROM s", .unreadableSetting),
        ("SELECT set_config(setting_name => 'role', 'x')", .unreadableSetting),
        ("SELECT set_config('ro'\n'le', 'x', false)", .unreadableSetting),
        ("SELECT U&\"set\\005fconfig\"('role', 'x', false)", .unreadableSetting),
        ("SELECT set_config('client_encoding', 'SJIS', false)", .encoding),
        ("UPDATE pg_settings SET setting = '0'", .guardedSetting),
        (
            "WITH x AS (UPDATE ONLY pg_catalog.\"pg_settings\" SET setting = 0) SELECT 1",
            .guardedSetting
        ),
        ("ALTER SYSTEM SET a = 1", .systemChange), ("alter/**/system reset all", .systemChange),
        ("CREATE EXTENSION dblink", .extensionChange),
        ("ALTER EXTENSION x UPDATE", .extensionChange),
        ("SELECT lo_import('/etc/passwd')", .largeObjectFile),
        ("SELECT * FROM pg_catalog.lo_export(1, '/x')", .largeObjectFile),
        ("LISTEN c", .listening),
        ("SELECT 'a", .unreadable), ("SELECT 1 /* x", .unreadable),
        ("SELECT $a$ x $b$", .unreadable),
    ])
    func refusedHoweverItIsWritten(text: String, refusal: StatementRefusal) {
        #expect(judge(text).refusal == refusal)
        // Behind others, and before them.
        #expect(judge("SELECT 1; \(text)").refusal == refusal)
        #expect(judge("\(text)\n; SELECT 1").refusal == refusal)
    }

    @Test(arguments: [
        ("SELECT 'SET ROLE x; LISTEN c'", StatementClass.select),
        ("SELECT $$; SET ROLE x$$", .select), ("SELECT 1 /* ; SET ROLE x */", .select),
        ("SELECT \"set_config\" FROM t", .select), ("SELECT set_config FROM t", .select),
        ("SELECT \"SET_CONFIG\"('role')", .select), ("(SELECT 1) UNION (SELECT 2)", .select),
        ("VALUES (1)", .select), ("TABLE t", .select),
        ("SELECT pg_catalog.set_config('search_path', '', false)", .select),
        ("WITH a AS (SELECT 1) SELECT * FROM a", .select),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", .delete),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", .insert),
        ("INSERT INTO copy VALUES (1)", .insert), ("UPDATE t SET role = 'x'", .update),
        ("UPDATE t SET a = 'pg_settings'", .update), ("DELETE FROM t", .delete),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", .merge),
        ("COPY t FROM STDIN WITH (FORMAT csv)", .copyIn), ("COPY t (\"to\") TO STDOUT", .copyOut),
        ("COPY (SELECT a FROM b) TO STDOUT", .copyOut), ("SET search_path TO a, b", .session),
        ("SET TIME ZONE 'UTC'", .session), ("SET NAMES 'utf8'", .session),
        ("SET client_encoding TO DEFAULT", .session), ("SET my.role = 'x'", .session),
        ("SET standard_conforming_strings TO 'on'", .session), ("RESET ALL", .session),
        ("RESET statement_timeout", .session), ("DISCARD ALL", .session),
        ("SHOW role", .session), ("BEGIN READ ONLY", .transaction), ("COMMIT", .transaction),
        ("SET TRANSACTION READ ONLY", .session), ("PREPARE TRANSACTION 'x'", .transaction),
        ("PREPARE p AS SELECT 1", .prepared), ("EXPLAIN ANALYZE SELECT 1", .explain),
        ("CREATE TABLE role (listen int)", .definition),
        ("ALTER TABLE t ADD role int", .definition),
        ("ALTER USER MAPPING FOR u SERVER s OPTIONS (SET a 'b')", .definition),
        ("GRANT SELECT ON t TO r", .privilege), ("DO $$ BEGIN END $$", .routine),
        ("CALL p()", .routine), ("NOTIFY c", .notification), ("UNLISTEN *", .notification),
        ("DECLARE c CURSOR FOR SELECT 1", .cursor), ("VACUUM t", .maintenance),
        ("LOCK TABLE t", .lock), ("hello world", .unknown), ("", .empty), ("-- x", .empty),
        ("INSERT INTO \"we\"\"ird\" (a) VALUES (1)", .insert),
    ])
    func passesAndIsClassed(text: String, kind: StatementClass) {
        let judgement = judge(text)
        #expect(judgement.refusal == nil)
        #expect(judgement.statements.map(\.kind) == [kind])
    }

    @Test func everyRefusalSaysWhatIsWrong() {
        for refusal in StatementRefusal.allCases {
            #expect(refusal.message.count > 20 && refusal.sqlState.count == 5)
        }
    }

    @Test func profilesDeclareListeningAndStrictness() {
        #expect(judge("LISTEN c", StatementRules(mayListen: true)).refusal == nil)
        let strict = StatementRules(isStrict: true)
        for text in ["hello world", "SELECT (1", "SELECT 1)", "'x'", "WITH a AS (TABLE b) x"] {
            #expect(judge(text).refusal == nil)
            #expect(judge(text, strict).refusal == .unknownStatement, "\(text)")
        }
        #expect(judge("SELECT (1)", strict).refusal == nil)
        #expect(judge("SET statement_timeout = 0", StatementRules()).refusal == nil)
        #expect(judge("BEGIN READ WRITE", StatementRules()).refusal == nil)
    }

    @Test(arguments: [
        "SELECT 1_0$$, set_config('role','x',false) AS b$$",
        "SELECT 1_0$$; COPY t FROM PROGRAM 'id'; SELECT 1 AS b$$", "SELECT 0xaz", "SELECT 0b1$$a$$",
    ])
    func numbersThatEndElsewhereForOlderServersAreRefused(text: String) {
        #expect(judge(text).refusal == .unreadable)
        #expect(judge("SELECT 1_000, 0xFF, 1e5, 1$$a$$").refusal == nil)
    }

    @Test func textsOfVeryManyStatementsAreRefused() {
        let most = StatementJudgement.statementsMax
        #expect(judge(String(repeating: "a;", count: most)).refusal == nil)
        #expect(judge(String(repeating: "a;", count: most + 1)).refusal == .unreadable)
    }

    @Test func manyStatementsAreManyAndOneRefusalRefusesAll() {
        let many = judge("BEGIN; SELECT 1;; UPDATE t SET a = 1; COMMIT;")
        #expect(many.statements.map(\.kind) == [.transaction, .select, .update, .transaction])
        let rule = judge("CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)")
        #expect(rule.statements.count == 1)
        #expect(judge("BEGIN; SET ROLE x; COMMIT").refusal == .roleChange)
    }

    /// What is a string depends on the session.
    @Test func escapesFollowTheSession() {
        let text = "SELECT '\\'; SET ROLE x; --'"
        #expect(judge(text).refusal == .roleChange)
        #expect(judge(text, standardStrings: false).refusal == nil)
        let other = "SELECT '\\''; SET ROLE x; --'"
        #expect(judge(other, standardStrings: false).refusal == .roleChange)
    }
}

/// Fingerprints hold what a statement does and never a value.
@Suite struct StatementFingerprintTests {
    private func shape(_ text: String) -> String {
        StatementJudgement(Array(text.utf8), rules: StatementRules(), standardStrings: true)
            .statements.map { $0.fingerprint?.shape ?? "" }.joined(separator: " | ")
    }

    @Test(arguments: [
        (
            "SELECT  a,b\nFROM t WHERE id=42 AND n >= -1.5e3",
            "select a, b from t where id = ? and n >= - ?"
        ),
        ("select * from T where s = 'O''Brien' -- secret", "select * from t where s = ?"),
        ("SELECT $1::int, E'\\x41', $$x$$, X'1F', U&'a'", "select ? :: int, ?"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", "insert into t values(?)"),
        ("SELECT 1 WHERE a IN (1, 2, 3) AND b = 4", "select ? where a in(?) and b = ?"),
        ("SELECT \"Name\".x[1] FROM \"Name\"", "select \"Name\".x[?] from \"Name\""),
        ("SELECT 0x1F, 1_000, 0b1", "select ?"), ("BEGIN; SELECT 1", "begin | select ?"),
    ])
    func valuesAreLeftOut(text: String, expected: String) {
        #expect(shape(text) == expected)
    }

    @Test func sameShapesAreOneFingerprint() throws {
        func hash(_ text: String) throws -> String {
            let judgement = StatementJudgement(
                Array(text.utf8),
                rules: StatementRules(),
                standardStrings: true
            )
            return try #require(judgement.statements.first?.fingerprint?.hash)
        }
        #expect(try hash("SELECT 1") == hash("select /* x */ 'other'"))
        #expect(try hash("SELECT 1") == hash("SELECT $1"))
        #expect(try hash("SELECT a FROM t") != hash("SELECT b FROM t"))
        #expect(try hash("SELECT 1").count == 32)
    }

    @Test func shapesAreCutAndTheirHashesAreNot() throws {
        let names = (0..<1_000).map { "é\($0)" }.joined(separator: ", ")
        let long = shape("SELECT \(names) FROM t")
        #expect(long.utf8.count <= PostgresLimits.shapeByteCountMax)
        #expect(!long.contains("\u{FFFD}"))
        #expect(long == shape("SELECT \(names) FROM other"))
    }
}
