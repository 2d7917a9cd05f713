/// docs/cli.md from the table of commands.
enum Reference {
    static func markdown(_ commands: [Command]) -> String {
        var text = """
            # The command line

            `turnpike` speaks the REST API and nothing else. This page is generated from its table of
            commands: `turnpike reference > docs/cli.md`.

            A service is written `name` or `namespace/name`; `web` means `default/web`. Results go to
            standard output, everything else to standard error. `--json` prints the server's JSON.

            ## Settings


            """
        text += "| variable | meaning |\n|---|---|\n"
        for (name, meaning) in HelpText.settings { text += "| `\(name)` | \(meaning) |\n" }
        text += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n"
        for code in ExitCode.allCases { text += "| \(code.rawValue) | \(code.meaning) |\n" }
        text += "\n## Commands\n"
        for command in commands { text += section(command) }
        return text
    }

    private static func section(_ command: Command) -> String {
        var text = "\n### \(command.name)\n\n\(sentence(command.summary))\n\n"
        text += "```\n\(command.usage)\n```\n"
        for note in command.notes { text += "\n\(note)\n" }
        let arguments = command.operands.map { ($0.name, $0.summary) }
        let options = command.options.map { option in
            (option.value.map { "\(option.name) \($0)" } ?? option.name, option.summary)
        }
        if !(arguments + options).isEmpty {
            text += "\n| argument | meaning |\n|---|---|\n"
            for (name, summary) in arguments + options {
                text += "| `\(name.escapingPipes)` | \(summary.escapingPipes) |\n"
            }
        }
        if !command.requests.isEmpty {
            let requests = command.requests.map { "`\($0)`" }.joined(separator: ", ")
            text += "\nAsks the API for \(requests).\n"
        }
        return text
    }

    private static func sentence(_ summary: String) -> String {
        summary.prefix(1).uppercased() + summary.dropFirst() + "."
    }
}

extension String {
    /// As a cell of a Markdown table takes it.
    fileprivate var escapingPipes: String {
        split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
