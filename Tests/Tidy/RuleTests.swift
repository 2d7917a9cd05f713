import Testing

/// Each rule meets a sample that breaks it and one that does not: a rule that cannot fail defends nothing.
@Suite("Rules")
struct RuleTests {
    private func file(_ text: String, in target: String = "Control") -> SourceFile {
        let floor =
            House.shared.contains(target)
            ? "Shared" : ["DataPlane", "Process"].contains(target) ? "Agent" : "ControlPlane"
        return SourceFile(path: "Sources/\(floor)/\(target)/Room/Sample.swift", text: text)
    }

    @Test(arguments: [
        ("Mesh", "import Crypto", "Mesh is pure"),
        ("Wire", "import Foundation", "costs the agent"),
        ("DataPlane", "package import FoundationEssentials", "costs the agent"),
        ("DataPlane", "import Postgres", "links no libpq"),
        ("Snapshot", "import Store", "closes a ring"),
        ("API", "import Store", "asks Control"),
        ("HTTP", "import Glibc", "errno"),
        ("Control", "import struct CPostgres.PGconn", "door to a C library"),
        ("CommandLine", "import Store", "REST API"),
        ("Server", "import DataPlane", "in the wrong room"),
        ("API", "@preconcurrency import Dispatch", "second scheduler"),
        ("API", "import NIOCore", "takes no packages"),
    ])
    func forbiddenImport(target: String, line: String, reason: String) throws {
        let findings = ImportRule.findings(in: file("\(line)\n", in: target))
        #expect(findings.count == 1)
        #expect(try #require(findings.first).advice.contains(reason))
    }

    @Test(arguments: [
        ("Reactor", "import Glibc\nimport CLinux"), ("Control", "package import Store"),
        ("Server", "import Foundation\nimport API"), ("DataPlane", "import Transport"),
        ("Process", "import DataPlane\nimport Synchronization"), ("Mesh", "// import Crypto"),
    ])
    func allowedImport(target: String, text: String) {
        #expect(ImportRule.findings(in: file(text, in: target)).isEmpty)
    }

    @Test func everyRoomMayImportOnlyRoomsThatExist() {
        for (target, modules) in House.mayImport {
            #expect(modules.isSubset(of: House.mayImport.keys), "\(target)")
            #expect(!modules.contains(target), "\(target)")
        }
    }

    @Test func unknownTargetIsFound() {
        let stray = SourceFile(path: "Sources/Shared/Sundries/A.swift", text: "")
        #expect(ImportRule.unknownTargets(in: [stray, stray]).count == 1)
        #expect(ImportRule.unknownTargets(in: [file("")]).isEmpty)
    }

    @Test func unsafeOutsideTheFence() {
        let text = "let a = unsafe pointer.pointee\n"
        #expect(FenceRules.unsafeWords(in: file(text)).count == 1)
        #expect(FenceRules.unsafeWords(in: file(text, in: "TLS")).isEmpty)
        #expect(FenceRules.unsafeWords(in: file("// unsafe\nlet a = \"unsafe\"\n")).isEmpty)
    }

    @Test(arguments: [
        ("final class A: @unchecked Sendable {}", 1),
        ("/// Fast.\nfinal class A: @unchecked Sendable {}", 1),
        ("/// Confined to the loop's thread.\nfinal class A: @unchecked Sendable {}", 0),
        ("// Guarded by the lock.\n@safe\nfinal class A: @unchecked Sendable {}", 0),
        ("// The reactor owns it.\n\nnonisolated(unsafe) var a = 0", 1),
        ("// The reactor owns it.\nnonisolated(unsafe) var a = 0", 0),
    ])
    func uncheckedConcurrency(text: String, count: Int) {
        #expect(FenceRules.uncheckedConcurrency(in: file(text, in: "Reactor")).count == count)
        #expect(FenceRules.uncheckedConcurrency(in: file(text, in: "Mesh")).count == 1)
    }

    @Test(arguments: [
        "SELECT id FROM services", "INSERT INTO services VALUES (1)", "DELETE FROM leases",
        "\n  UPDATE leases SET ended = now()", "CREATE TABLE a ()", "WITH a AS (SELECT 1) TABLE a",
        "GRANT dashboard TO auditor", "LISTEN revision", "BEGIN", "select name from roles",
    ])
    func statement(text: String) {
        #expect(SQLRule.isStatement(text))
        let sample = file("let a = \"\"\"\n\(text)\n\"\"\"\n")
        #expect(SQLRule.findings(in: sample).count == 1)
        #expect(SQLRule.findings(in: file("f(\"\"\"\n\(text)\n\"\"\")\n", in: "Store")).isEmpty)
    }

    @Test(arguments: [
        "DELETE", "Update the agent", "SELECT", "delete", "COPY", "BEGIN CERTIFICATE",
        "-----BEGIN CERTIFICATE-----", "Select a service from the list", "SET", "CREATE", "",
    ])
    func notStatement(text: String) {
        #expect(!SQLRule.isStatement(text))
    }

    @Test func sessionVocabulary() {
        let session = file(
            "let a = [\"BEGIN\", \"SELECT pg_backend_pid()\", \"CREATE ROLE x\"]\n",
            in: "Postgres"
        )
        #expect(SQLRule.findings(in: session).isEmpty)
        let query = file("let a = \"SELECT name FROM services\"\n", in: "Postgres")
        #expect(SQLRule.findings(in: query).count == 1)
    }

    @Test func migrationNames() {
        let folder = "Sources/ControlPlane/Store/Migrations"
        #expect(
            SQLRule.migrationNames(among: ["\(folder)/m0001_a.sql", "\(folder)/m0002_b.sql"])
                .isEmpty
        )
        #expect(SQLRule.migrationNames(among: ["\(folder)/0001_a.sql"]).count == 1)
        #expect(SQLRule.migrationNames(among: ["Sources/ControlPlane/API/m0001_a.sql"]).count == 1)
        #expect(
            SQLRule.migrationNames(among: ["\(folder)/m0001_a.sql", "\(folder)/m0001_b.sql"]).count
                == 1
        )
    }

    @Test(arguments: [
        "let a = getenv(\"HOME\")", "let a = ProcessInfo.processInfo.environment",
    ])
    func environment(text: String) {
        #expect(SurroundingsRules.environment(in: file(text)).count == 1)
        #expect(SurroundingsRules.environment(in: file(text, in: "Server")).isEmpty)
    }

    @Test(arguments: [
        ("print(1)", 1), ("log.print(1)", 0), ("func print(a: Int) {}", 0), ("dump(a)", 1),
    ])
    func output(text: String, count: Int) {
        #expect(SurroundingsRules.output(in: file(text)).count == count)
        #expect(SurroundingsRules.output(in: file(text, in: "CommandLine")).isEmpty)
    }

    @Test(arguments: [
        ("let a = Date()", 1), ("let a = Date(timeIntervalSince1970: 0)", 0), ("Date.now", 1),
        ("ContinuousClock.now", 1), ("ContinuousClock().now", 1), ("time(nil)", 1),
        ("func f(now: ContinuousClock.Instant) {}", 0), ("request.time(a)", 0),
    ])
    func clock(text: String, count: Int) {
        #expect(SurroundingsRules.clocks(in: file(text)).count == count)
        #expect(SurroundingsRules.clocks(in: file(text, in: "Reactor")).isEmpty)
    }

    @Test(arguments: [
        ("Int.random(in: 0..<3)", 1), ("Int.random(in: f(0)..<3, using: &generator)", 0),
        ("SystemRandomNumberGenerator()", 1), ("case random(Int)", 0),
    ])
    func randomness(text: String, count: Int) {
        #expect(SurroundingsRules.randomness(in: file(text)).count == count)
    }

    @Test(arguments: [
        ("public struct A {}", 1), ("open class A {}", 1), ("case public", 0), ("a == .public", 0),
        ("let open = true", 0), ("public private(set) var a = 0", 0),
    ])
    func publicDeclaration(text: String, count: Int) {
        #expect(TrustRules.publicDeclarations(in: file(text)).count == count)
    }

    @Test(arguments: [
        ("try! f()", 1), ("a as! Int", 1), ("a!", 1), ("f()!.b", 1), ("a[0]!", 1),
        ("fatalError(\"x\")", 1), ("var a: Int!", 1), ("a != b", 0), ("!a", 0), ("if !(a) {}", 0),
        ("\"really!\"", 0), ("\"\\(a!)\"", 1), ("a && !b", 0), ("try f()", 0), ("(!a)", 0),
    ])
    func trap(text: String, count: Int) {
        #expect(TrustRules.traps(in: file(text)).count == count)
    }

    @Test(arguments: [
        ("struct ConnectionManager {}", 1), ("enum Utils {}", 1), ("struct PeerInfo {}", 1),
        ("struct Handler {}", 1), ("struct Database {}", 0), ("class func make() {}", 0),
        ("struct RequestHandler {}", 0), ("struct DataPlane {}", 0),
    ])
    func name(text: String, count: Int) {
        #expect(NameRule.findings(in: file(text)).count == count)
    }

    @Test func nameOfFile() {
        let stray = SourceFile(path: "Sources/Shared/Wire/Bytes+Helpers.swift", text: "")
        #expect(NameRule.findings(in: stray).count == 1)
    }

    @Test func fileLength() {
        let long = String(repeating: "\n", count: ShapeRules.sourceLinesMax + 1)
        #expect(ShapeRules.fileLength(of: file(long)).count == 1)
        #expect(ShapeRules.fileLength(of: file(String(long.dropLast()))).isEmpty)
    }

    @Test func functionLength() {
        let body = String(repeating: "    // }\n    f(\"}\")\n", count: 60)
        let long = file("func long(a: () -> Void = {}) where A == B {\n\(body)}\nfunc short() {}\n")
        #expect(
            ShapeRules.functions(in: long) == [
                .init(name: "long", line: 1, lineCount: 122),
                .init(name: "short", line: 123, lineCount: 1),
            ]
        )
        #expect(ShapeRules.functionLength(in: long).map(\.line) == [1])
    }

    @Test func requirementsHaveNoBody() {
        let text = "protocol A {\n    func a()\n    init(b: Int)\n}\nfunc c() {\n}\n"
        #expect(ShapeRules.functions(in: file(text)).map(\.name) == ["c"])
    }

    @Test(arguments: [
        ("Sources/Shared/A.swift", 1), ("Sources/Shared/Wire/A.swift", 0), ("Sources/A.swift", 1),
        ("Sources/Shared/Wire/B/C/A.swift", 0), ("Sources/Shared/Wire/B/C/D/A.swift", 1),
        ("Sources/Other/Wire/A.swift", 1), ("Tests/A.swift", 0),
    ])
    func place(path: String, count: Int) {
        #expect(ShapeRules.place(of: SourceFile(path: path, text: "")).count == count)
    }

    @Test(arguments: [
        (" let a = f()", true), (" return a", false), (" if a {", true), (" }", true),
        (" connection.close()", true), (" let the peer close it.", false),
        (" The peer closed.", false),
        (" RFC 9112 section 6.3 (chunked)", false), (" f(x) is called twice", false),
    ])
    func deadCode(comment: String, isCode: Bool) {
        #expect(CommentRules.looksLikeCode(comment) == isCode)
        #expect(CommentRules.deadCode(in: file("//\(comment)\n")).isEmpty != isCode)
        #expect(CommentRules.deadCode(in: file("///\(comment)\n")).isEmpty)
    }

    @Test func banner() {
        #expect(CommentRules.banners(in: file("// ======\n")).count == 1)
        #expect(CommentRules.banners(in: file("let a = \"=====\" // why\n")).isEmpty)
    }

    @Test func promise() {
        let text = SourceTree.TextFile(path: "a.md", text: "fine\n\("TO" + "DO") later\n")
        #expect(CommentRules.promises(in: text).map(\.line) == [2])
    }

    @Test func machinePath() {
        let text = SourceTree.TextFile(
            path: "a.md",
            text: "see \("/ho" + "me")/someone\n/usr/bin\n"
        )
        #expect(CommentRules.machinePaths(in: text).map(\.line) == [1])
    }

    @Test(arguments: [
        ("package struct A {}", 1), ("/// What it is.\npackage struct A {}", 0), ("struct A {}", 0),
        ("/// What.\n@frozen\npackage struct A {}", 0), ("@frozen\npackage struct A {}", 1),
        ("package import Wire", 0), ("package extension A {}", 0),
        ("package static func == (a: A) {}", 0),
        ("package private(set) var a = 0", 0), ("package func hash(into: inout Hasher) {}", 0),
        ("/// What.\n\npackage func a() {}", 1), ("let package = Package(name: \"a\")", 0),
        ("package init(a: Int, b: Int) {\n    self.a = a\n    self.b = b\n}", 0),
        ("package init(a: Int) {\n    self.a = a + 1\n}", 1), ("package static let a = 1", 0),
        ("package var a: Int { b }", 0), ("package var a: Int {\n    b\n}", 1),
        ("package var a: Int { didSet { b() } }", 0),
    ])
    func documentation(text: String, count: Int) {
        #expect(DocumentationRule.findings(in: file(text)).count == count)
    }

    @Test func documentationIsInheritedFromProtocols() {
        let sample = file("protocol A {\n    func run()\n    init(row: Int)\n}\nfunc other() {}\n")
        let inherited = DocumentationRule.requirements(in: [sample])
        #expect(inherited == ["run", "init(row"])
        let witness = file("package func run() {}\npackage func other() {}\n")
        #expect(DocumentationRule.findings(in: witness, inherited: inherited).map(\.line) == [2])
    }

    @Test func mirror() {
        let source = file("struct Lease {}\n")
        let near = SourceFile(path: "Tests/ControlTests/A.swift", text: "Lease()\n")
        let far = SourceFile(path: "Tests/WireTests/A.swift", text: "Lease()\n// Lease\n")
        let quoted = SourceFile(path: "Tests/ControlTests/A.swift", text: "// Lease\n\"Lease\"\n")
        #expect(MirrorRules.untested(sources: [source], tests: [near]).isEmpty)
        #expect(MirrorRules.untested(sources: [source], tests: [far, quoted]).count == 1)
    }

    @Test func testWithoutAssertion() {
        func count(_ text: String) -> Int {
            MirrorRules.withoutAssertion(SourceFile(path: "Tests/A/B.swift", text: text)).count
        }
        #expect(count("@Test func a() { f() }\n") == 1)
        #expect(count("@Test func a() { #expect(f()) }\n") == 0)
        #expect(count("struct Fixture {}\n") == 0)
    }

    @Test func metrics() {
        let names = SourceFile(
            path: MetricRules.declarationPath,
            text: "let a = \"turnpike_a_total\"\nlet b = \"other\"\n"
        )
        let tokens = MetricRules.declaredNames(in: names)
        #expect(tokens.map(\.text) == ["turnpike_a_total"])
        #expect(MetricRules.undocumented(tokens, document: "`turnpike_a_total` counts").isEmpty)
        #expect(MetricRules.undocumented(tokens, document: "").count == 1)
        #expect(MetricRules.gone(declared: [], document: "\n`turnpike_b_total`").map(\.line) == [2])
        let stray = file("let a = [\"turnpike_x_bytes\", \"turnpike_dashboard\"]\n")
        #expect(MetricRules.strays(in: stray, declared: []).count == 1)
        #expect(MetricRules.strays(in: stray, declared: ["turnpike_dashboard"]).count == 2)
    }

    @Test func excuses() {
        let finding = Finding(path: "a", line: 1, advice: "")
        let excuse = Excuse(rule: .mirror, path: "a", reason: "none")
        #expect(Excuse.apply(.mirror, to: [finding], from: [excuse]).isEmpty)
        #expect(Excuse.apply(.mirror, to: [], from: [excuse]).map(\.path) == ["a"])
        #expect(Excuse.apply(.fileLength, to: [finding], from: [excuse]) == [finding])
    }
}
