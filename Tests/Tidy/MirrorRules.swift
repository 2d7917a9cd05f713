/// Every source is named by a test of its target, and every test asserts.
///
/// The mirror is by name, not by file: some type, function or value that a source file declares must be used as a word in
/// a Swift file under `Tests/<Target>Tests`, or in the tests that run several rooms together.
enum MirrorRules {
    private static let sharedTestFolders: Set<String> = [
        "Integration", "SimulationTests", "FuzzTests",
    ]

    static func untested(sources: [SourceFile], tests: [SourceFile]) -> [Finding] {
        var words: [String: Set<String>] = [:]
        for test in tests {
            words[test.target, default: []].formUnion(
                test.code.lazy.filter { $0.kind == .word }.map(\.text)
            )
        }
        let everywhere = sharedTestFolders.reduce(into: Set<String>()) {
            $0.formUnion(words[$1] ?? [])
        }
        return sources.compactMap { source in
            // Wiring is proved by the processes that the integration tests start.
            guard source.name != "Program", source.name != "Placeholder" else { return nil }
            let names = source.declaredNames
            let own = words["\(source.target)Tests"] ?? []
            guard !names.isEmpty, names.isDisjoint(with: own), names.isDisjoint(with: everywhere)
            else { return nil }
            return Finding(
                path: source.path,
                line: 1,
                advice: "nothing of this file is named in Tests/\(source.target)Tests: add"
                    + " `\(source.name.prefix { $0 != "+" })Tests.swift`, or an entry with its reason in Excuses.swift"
            )
        }
    }

    static func withoutAssertion(_ test: SourceFile) -> [Finding] {
        var hasTest = false
        var asserts = false
        for index in test.code.indices where test.code[index].kind == .word {
            let before = test.token(index, -1)
            if test.code[index].text == "Test", before?.isSign("@") == true { hasTest = true }
            if ["expect", "require"].contains(test.code[index].text), before?.isSign("#") == true {
                asserts = true
            }
            if test.code[index].text == "record", before?.isSign(".") == true { asserts = true }
        }
        guard hasTest, !asserts else { return [] }
        return [
            Finding(
                path: test.path,
                line: 1,
                advice: "tests without `#expect` or `#require` prove only that nothing trapped"
            )
        ]
    }
}
