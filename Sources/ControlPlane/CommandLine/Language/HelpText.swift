/// Help from the table of commands.
enum HelpText {
    /// Settings that a command reads, with what they mean.
    static let settings: [(name: String, meaning: String)] = [
        ("TURNPIKE_ADDR", "where the server is, such as https://turnpike.example:7400"),
        ("TURNPIKE_CACERT", "a PEM file with the CA that vouches for the server"),
        ("TURNPIKE_TOKEN", "who you are; never given as an argument"),
        ("TURNPIKE_TOKEN_FILE", "a file of mode 0600 with the token, instead of TURNPIKE_TOKEN"),
    ]

    /// Help about the commands that begin with these words; about everything without any.
    static func text(_ words: [String], commands: [Command]) throws(Failure) -> String {
        let found = commands.filter { $0.words.starts(with: words) }
        guard let first = found.first else {
            throw .usage(
                "there is no command \(words.joined(separator: " "))",
                hint: "see `turnpike help` for all commands"
            )
        }
        if words.isEmpty { return overview(commands) }
        // `ca` is a command, and what `ca csr` begins with.
        guard let exact = found.first(where: { $0.words == words }) else {
            return found.count == 1 ? text(first) : lines(found)
        }
        let others = found.filter { $0.words != words }
        return text(exact) + (others.isEmpty ? "" : "\nCommands:\n" + lines(others))
    }

    private static func overview(_ commands: [Command]) -> String {
        var text = "turnpike: the command line of the Turnpike control plane\n\n"
        text += lines(commands)
        text += "\n`turnpike help NOUN [VERB]` tells more. Settings, from the environment:\n"
        for (name, meaning) in settings { text += "  \(name.padded(to: 22))\(meaning)\n" }
        text += "\nExit codes:\n"
        for code in ExitCode.allCases { text += "  \(code.rawValue)  \(code.meaning)\n" }
        return text
    }

    private static func lines(_ commands: [Command]) -> String {
        commands.map { "  \($0.name.padded(to: 22))\($0.summary)\n" }.joined()
    }

    private static func text(_ command: Command) -> String {
        var text = "usage: \(command.usage)\n\n\(command.summary)\n"
        for note in command.notes { text += "\n\(note)\n" }
        if !command.operands.isEmpty {
            text += "\nArguments:\n"
            for operand in command.operands {
                text += "  \(operand.name.padded(to: 28))\(operand.summary)\n"
            }
        }
        text += "\nOptions:\n"
        for option in command.allOptions {
            let name = option.value.map { "\(option.name) \($0)" } ?? option.name
            text += "  \(name.padded(to: 28))\(option.summary)\n"
        }
        return text
    }
}
