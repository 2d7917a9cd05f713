/// Everything that the command line can do.
enum CommandTable {
    /// The version of this program.
    static let version = "0.2.0"

    /// In the order of the help.
    static let all: [Command] =
        CatalogCommands.all + IntentionCommands.all + [IntentionTest.command] + AgentCommands.all
        + AgentCommands.joinTokens + RevocationCommands.all
        + RotationCommands.all + AuthorityImportCommands.all
        + TargetCommands.all + LeaseCommands.all + IdentityCommands.all
        + EvidenceCommands.all + FileCommands.all + programCommands

    /// What needs no server.
    private static let programCommands = [
        Command("version", "print the version of this program") { _, session in
            session.print("turnpike \(version)\n")
            return .success
        },
        Command(
            "completion bash",
            "print a completion script: `source <(turnpike completion bash)`"
        ) { _, session in
            session.print(Completion.bash(all))
            return .success
        },
        Command(
            "reference",
            "print the reference of all commands as Markdown"
        ) { _, session in
            session.print(Reference.markdown(all))
            return .success
        },
    ]
}
