import Testing

@testable import turnpike

@Suite struct ArgumentParserTests {
    private let parser = ArgumentParser(commands: CommandTable.all)

    private func invocation(_ arguments: [String]) throws -> (String, Invocation) {
        guard case .run(let command, let invocation) = try parser.parse(arguments) else {
            Issue.record("help was answered")
            return ("", Invocation())
        }
        return (command.name, invocation)
    }

    @Test func operandsAndOptionsMayMix() throws {
        let (name, invocation) = try invocation([
            "intention", "create", "--allow", "web", "--description=a b", "orders-db", "--wait",
            "enforced", "--timeout", "5s",
        ])
        #expect(name == "intention create")
        #expect(invocation.operands == ["SOURCE": "web", "DESTINATION": "orders-db"])
        #expect(
            invocation.options == [
                "--allow": [""], "--description": ["a b"], "--wait": ["enforced"],
                "--timeout": ["5s"],
            ]
        )
    }

    @Test func repeatableOptionsAddUp() throws {
        let (_, invocation) = try invocation([
            "agent", "invite", "host-1", "--place", "web", "--place", "billing/ledger",
        ])
        #expect(invocation.all("--place") == ["web", "billing/ledger"])
    }

    @Test func afterTwoDashesNothingIsAnOption() throws {
        let (_, invocation) = try invocation(["service", "show", "--", "--json"])
        #expect(invocation.operands == ["SERVICE": "--json"])
    }

    @Test func aDashAloneIsAValue() throws {
        let (_, invocation) = try invocation(["apply", "-f", "-"])
        #expect(invocation.all("-f") == ["-"])
    }

    @Test(arguments: [
        (["servce", "list"], "did you mean service?"),
        (["service"], "one of list, show, put, delete"),
        (["service", "lst"], "did you mean list?"),
        (["service", "list", "--jsn"], "did you mean --json?"),
        (["service", "show"], "usage: turnpike service show SERVICE"),
        (["service", "show", "a", "b"], "usage: turnpike service show SERVICE"),
        (["service", "list", "--limit"], "usage: turnpike service list"),
        (["service", "list", "--json", "--json"], "usage: turnpike service list"),
        (["service", "list", "--json=yes"], "usage: turnpike service list"),
        (["service", "put", "web", "--protocol", "udp"], "usage: turnpike service put"),
        (["token", "create", "--name", "x"], "usage: turnpike token create --policy"),
    ])
    func wrongArgumentsAreUsageErrors(_ arguments: [String], _ hint: String) throws {
        let failure = try #require(throws: Failure.self) { try parser.parse(arguments) }
        #expect(failure.code == .usage)
        #expect(failure.hint?.hasPrefix(hint) == true, "\(failure)")
    }

    @Test(arguments: [["--token", "tp.secret"], ["--token=tp.secret"], ["--tken=tp.secret"]])
    func tokensAreNeverArgumentsNorRepeated(_ words: [String]) throws {
        let failure = try #require(throws: Failure.self) {
            try parser.parse(["service", "list"] + words)
        }
        #expect(failure.code == .usage)
        #expect(!failure.text.contains("tp.secret"))
    }

    @Test(arguments: [
        (["help"], [String]()), (["--help"], []), ([], []), (["service", "--help"], ["service"]),
        (["help", "service", "put"], ["service", "put"]),
        (["service", "put", "web", "-h"], ["service", "put"]),
    ])
    func helpIsAnsweredWhereverItIsAsked(_ arguments: [String], _ words: [String]) throws {
        guard case .help(let answered) = try parser.parse(arguments) else {
            Issue.record("no help")
            return
        }
        #expect(answered == words)
    }

    @Test func everyCommandHasItsOwnName() {
        let names = CommandTable.all.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test(arguments: CommandTable.all.map(\.name))
    func everyCommandExplainsItself(_ name: String) throws {
        let words = name.split(separator: " ").map(String.init)
        let text = try HelpText.text(words, commands: CommandTable.all)
        #expect(text.hasPrefix("usage: turnpike \(name)"))
    }

    @Test func suggestionsAreCloseOnly() {
        #expect(Nearest.suggestion(for: "lisst", among: ["list", "show"]) == "did you mean list?")
        #expect(Nearest.suggestion(for: "elephant", among: ["list", "show"]) == nil)
    }
}
