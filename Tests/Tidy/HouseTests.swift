import Testing

/// The rules of the house, each asked of the whole tree.
@Suite("House")
struct HouseTests {
    private let tree = SourceTree.current

    /// One issue for all findings: an expectation over the list would print it twice, as a value first.
    private func expectNone(
        _ findings: [Finding],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard !findings.isEmpty else { return }
        let list = Set(findings.map(\.description)).sorted().joined(separator: "\n")
        Issue.record("\(findings.count) to put right:\n\(list)", sourceLocation: sourceLocation)
    }

    @Test("The walk finds the tree: a rule over no files would always pass")
    func treeIsFound() {
        #expect(tree.sources.count >= House.mayImport.count)
        #expect(tree.text(at: "Package.swift") != nil)
        #expect(tree.tests.contains { $0.path == "Tests/Tidy/HouseTests.swift" })
    }

    @Test("Every import stands in the table")
    func imports() {
        expectNone(tree.sources.flatMap(ImportRule.findings))
        expectNone(ImportRule.unknownTargets(in: tree.sources))
    }

    @Test("unsafe stays behind the fences")
    func unsafeWords() {
        expectNone(tree.sources.flatMap(FenceRules.unsafeWords))
    }

    @Test("Unchecked concurrency names its owner")
    func uncheckedConcurrency() {
        expectNone(tree.sources.flatMap(FenceRules.uncheckedConcurrency))
    }

    @Test("SQL text is in Store only")
    func sqlText() {
        expectNone(tree.sources.flatMap(SQLRule.findings))
        expectNone(SQLRule.migrationNames(among: tree.texts.map(\.path)))
    }

    @Test("Only executables read the environment")
    func environment() {
        expectNone(tree.sources.flatMap(SurroundingsRules.environment))
    }

    @Test("Only executables print")
    func output() {
        expectNone(tree.sources.flatMap(SurroundingsRules.output))
    }

    @Test("Clocks are arguments")
    func clocks() {
        expectNone(tree.sources.flatMap(SurroundingsRules.clocks))
    }

    @Test("Randomness is an argument")
    func randomness() {
        expectNone(tree.sources.flatMap(SurroundingsRules.randomness))
    }

    @Test("Nothing is public")
    func publicDeclarations() {
        expectNone(tree.sources.flatMap(TrustRules.publicDeclarations))
    }

    @Test("Nothing traps on what it is given")
    func traps() {
        expectNone(tree.sources.flatMap(TrustRules.traps))
    }

    @Test("Names say something")
    func names() {
        expectNone((tree.sources + tree.tests).flatMap(NameRule.findings))
    }

    @Test("Files are short")
    func fileLength() {
        let findings = (tree.sources + tree.tests).flatMap(ShapeRules.fileLength)
        expectNone(Excuse.apply(.fileLength, to: findings, from: Excuse.all))
    }

    @Test("Functions are short")
    func functionLength() {
        let findings = tree.sources.flatMap(ShapeRules.functionLength)
        expectNone(Excuse.apply(.functionLength, to: findings, from: Excuse.all))
    }

    @Test("Every file lies in a room")
    func places() {
        expectNone(tree.sources.flatMap(ShapeRules.place))
    }

    @Test("Every source is named by a test of its target")
    func mirror() {
        let findings = MirrorRules.untested(sources: tree.sources, tests: tree.tests)
        expectNone(Excuse.apply(.mirror, to: findings, from: Excuse.all))
    }

    @Test("Every test asserts")
    func assertions() {
        expectNone(tree.tests.flatMap(MirrorRules.withoutAssertion))
    }

    @Test(
        "Metrics are declared once and documented",
        .enabled(
            if: SourceTree.current.text(at: MetricRules.declarationPath) != nil,
            "no metric is declared yet"
        )
    )
    func metrics() {
        let tokens =
            tree.sources.first { $0.path == MetricRules.declarationPath }
            .map(MetricRules.declaredNames) ?? []
        let declared = Set(tokens.map(\.text))
        let document = tree.text(at: MetricRules.documentPath) ?? ""
        expectNone(tree.sources.flatMap { MetricRules.strays(in: $0, declared: declared) })
        expectNone(MetricRules.undocumented(tokens, document: document))
        expectNone(MetricRules.gone(declared: declared, document: document))
    }

    @Test("Package declarations are documented")
    func documentation() {
        let inherited = DocumentationRule.requirements(in: tree.sources)
        expectNone(
            tree.sources.flatMap { DocumentationRule.findings(in: $0, inherited: inherited) }
        )
    }

    @Test("Comments hold no dead code and no banners")
    func comments() {
        expectNone((tree.sources + tree.tests).flatMap(CommentRules.deadCode))
        expectNone((tree.sources + tree.tests).flatMap(CommentRules.banners))
    }

    @Test("No promises")
    func promises() {
        expectNone(tree.texts.flatMap(CommentRules.promises))
    }

    @Test("No paths of one machine")
    func machinePaths() {
        expectNone(tree.texts.flatMap(CommentRules.machinePaths))
    }
}
