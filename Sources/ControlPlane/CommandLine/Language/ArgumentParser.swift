/// Reads arguments by the table of commands.
struct ArgumentParser {
    /// What the arguments ask for.
    enum Request {
        case run(Command, Invocation)
        /// Help about all commands that begin with these words.
        case help([String])
    }

    let commands: [Command]

    func parse(_ arguments: [String]) throws(Failure) -> Request {
        if arguments.isEmpty { return .help([]) }
        let first = arguments[0]
        if first == "help" { return .help(Array(arguments.dropFirst())) }
        if first == "--help" || first == "-h" { return .help([]) }
        if first == "--version" { return try parse(["version"]) }
        let command = try command(arguments)
        guard let command else { return .help([first]) }
        var reading = Reading(command: command)
        var rest = arguments.dropFirst(command.words.count)
        while let argument = rest.popFirst() {
            if try reading.take(argument, followedBy: &rest) == .help {
                return .help(command.words)
            }
        }
        return .run(command, try reading.finished())
    }

    /// The command that the arguments begin with; nil for a noun with a plea for help.
    private func command(_ arguments: [String]) throws(Failure) -> Command? {
        // `ca csr` and not `ca` with an operand.
        let matching = commands.filter { arguments.starts(with: $0.words) }
        if let command = matching.max(by: { $0.words.count < $1.words.count }) { return command }
        let noun = arguments[0]
        let verbs = commands.filter { $0.words.first == noun }.compactMap { command in
            command.words.dropFirst().first
        }
        guard !verbs.isEmpty else {
            let nouns = Array(Set(commands.compactMap(\.words.first))).sorted()
            throw .usage(
                "there is no command \(noun)",
                hint: Nearest.suggestion(for: noun, among: nouns)
                    ?? "see `turnpike help` for all commands"
            )
        }
        guard arguments.count > 1 else {
            throw .usage("\(noun) needs a verb", hint: "one of \(verbs.joined(separator: ", "))")
        }
        if ["--help", "-h", "help"].contains(arguments[1]) { return nil }
        throw .usage(
            "\(noun) has no verb \(arguments[1])",
            hint: Nearest.suggestion(for: arguments[1], among: verbs)
                ?? "one of \(verbs.joined(separator: ", "))"
        )
    }
}

/// One command whose arguments are being read.
private struct Reading {
    enum Step { case taken, help }

    let command: Command
    var invocation = Invocation()
    var operandCount = 0
    var takesOptions = true

    mutating func take(
        _ argument: String,
        followedBy rest: inout ArraySlice<String>
    ) throws(Failure) -> Step {
        if takesOptions, argument == "--" {
            takesOptions = false
            return .taken
        }
        guard takesOptions, argument.hasPrefix("-"), argument != "-" else {
            try takeOperand(argument)
            return .taken
        }
        if argument == "--help" || argument == "-h" { return .help }
        // The value behind "=" may be a secret that does not belong here: it is never repeated.
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = command.allOptions.first(where: { $0.name == name }) else {
            throw unknown(name)
        }
        let value = parts.count > 1 ? String(parts[1]) : nil
        try take(option, value, &rest)
        return .taken
    }

    private mutating func take(
        _ option: Command.Option,
        _ attached: String?,
        _ rest: inout ArraySlice<String>
    ) throws(Failure) {
        guard option.isRepeatable || !invocation.has(option.name) else {
            throw wrong("\(option.name) is given twice")
        }
        guard let placeholder = option.value else {
            guard attached == nil else { throw wrong("\(option.name) takes no value") }
            return invocation.addOption(option.name, "")
        }
        guard let value = attached ?? rest.popFirst(), !value.isEmpty else {
            throw wrong("\(option.name) needs a value: \(placeholder)")
        }
        guard option.choices.isEmpty || option.choices.contains(value) else {
            throw wrong("\(option.name) must be \(option.choices.joined(separator: " or "))")
        }
        invocation.addOption(option.name, value)
    }

    private mutating func takeOperand(_ value: String) throws(Failure) {
        guard operandCount < command.operands.count else {
            throw wrong("there is one argument too many")
        }
        guard !value.isEmpty else {
            throw wrong("\(command.operands[operandCount].name) is empty")
        }
        invocation.setOperand(command.operands[operandCount].name, value)
        operandCount += 1
    }

    func finished() throws(Failure) -> Invocation {
        for operand in command.operands.dropFirst(operandCount) where !operand.isOptional {
            throw wrong("\(operand.name) is missing: \(operand.summary)")
        }
        for option in command.options where option.isRequired && !invocation.has(option.name) {
            throw wrong("\(option.name) is missing: \(option.summary)")
        }
        return invocation
    }

    private func unknown(_ name: String) -> Failure {
        if name == "--token" {
            return .usage(
                "a token is never an argument: other users of this host could read it",
                hint: "put it into TURNPIKE_TOKEN, or its file into TURNPIKE_TOKEN_FILE"
            )
        }
        let known = command.allOptions.map(\.name)
        return .usage(
            "\(command.name) has no option \(name)",
            hint: Nearest.suggestion(for: name, among: known)
                ?? "its options are \(known.joined(separator: ", "))"
        )
    }

    private func wrong(_ problem: String) -> Failure {
        .usage(problem, hint: "usage: \(command.usage)")
    }
}

/// Finds what somebody may have meant.
enum Nearest {
    private static let distanceMax = 2
    private static let charactersMax = 32

    static func suggestion(for word: String, among candidates: [String]) -> String? {
        guard word.count <= charactersMax else { return nil }
        let best = candidates.map { (distance(Array(word), Array($0)), $0) }
            .filter { $0.0 <= distanceMax && $0.0 < word.count }
            .min { $0.0 < $1.0 }
        return best.map { "did you mean \($0.1)?" }
    }

    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (leftIndex, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = leftIndex + 1
            for (index, other) in right.enumerated() {
                let substitution = diagonal + (character == other ? 0 : 1)
                diagonal = row[index + 1]
                row[index + 1] = min(substitution, diagonal + 1, row[index] + 1)
            }
        }
        return row[right.count]
    }
}
