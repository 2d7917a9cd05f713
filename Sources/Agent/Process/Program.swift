import Reactor

/// The agent's executable: finds the command and ends with its exit code.
@main
enum Program {
    static let version = "0.2.0"

    static let help = """
        turnpike-agent, the daemon of one host

        turnpike-agent run [--config FILE] [--check-config] [--print-config] [--print-listeners]
                           [--take-over] …
        turnpike-agent join --token-file FILE|- [--config FILE] …
        turnpike-agent status [--config FILE] …
        turnpike-agent snapshot show|verify FILE|DIRECTORY [--trust FILE]
        turnpike-agent version

        Settings, as flags; in the file as `mesh: {listen: …}`, in the environment as
        TURNPIKE_AGENT_MESH_LISTEN:
        """

    static func main() {
        let arguments = ProcessArguments.all
        do throws(StartFailure) {
            // Secrets must reach neither core files nor other users' eyes.
            try? ProcessLimits.disableCoreDumps()
            try? ProcessLimits.ignoreBrokenPipe()
            try perform(arguments)
        } catch {
            StandardStreams.complain(error.description)
            ProcessLimits.exit(error.exitCode)
        }
    }

    private static func perform(_ arguments: [String]) throws(StartFailure) {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "run": try RunCommand.perform(rest)
        case "join": try JoinCommand.perform(rest)
        case "status": try StatusCommand.perform(rest)
        case "snapshot": try SnapshotCommand.perform(rest)
        case "version", "--version": StandardStreams.print("turnpike-agent \(version)")
        case "help", "--help", "-h":
            StandardStreams.print(help + "\n\n" + SettingsTableText.agent)
        case .some(let word):
            throw .usage("there is no command \(word.prefix(64)); `turnpike-agent help` lists them")
        case nil:
            throw .usage("name a command; `turnpike-agent help` lists them")
        }
    }
}
