import Foundation
import Reactor
import Wire

/// The control plane's executable: finds the command and ends with its exit code.
@main
enum Program {
    static let version = "0.2.0"

    static let help = """
        turnpike-server, the control plane of Turnpike

        turnpike-server serve [--config FILE] [--check-config] [--print-config] [--print-listeners] …
        turnpike-server dev [--data DIRECTORY]
        turnpike-server sql [--config FILE] [-- PSQL ARGUMENTS]
        turnpike-server backup --to FILE …                         (`backup` alone explains it)
        turnpike-server restore --from FILE …                      (`restore` alone explains it)
        turnpike-server database move | upgrade …                  (`database` alone explains it)
        turnpike-server snapshot sign -f FILE --out DIRECTORY …    (`snapshot` alone explains it)
        turnpike-server trust sign|replace-keys …                  (`trust` alone explains it)
        turnpike-server version

        Settings, as flags; in the file as `api: {listen: …}`, in the environment as
        TURNPIKE_API_LISTEN:
        """

    static func main() {
        // Secrets must reach neither core files nor other users' eyes.
        try? ProcessLimits.disableCoreDumps()
        try? ProcessLimits.ignoreBrokenPipe()
        let arguments = Array(CommandLine.arguments.dropFirst())
        do throws(StartFailure) {
            try perform(arguments)
        } catch {
            Console.complain(error.description)
            exit(error.exitCode)
        }
    }

    private static func perform(_ arguments: [String]) throws(StartFailure) {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "serve": try ServeCommand.perform(rest)
        case "dev": try DevCommand.perform(rest)
        case "sql": try SQLCommand.perform(rest)
        case "backup": try BackupCommand.perform(rest)
        case "restore": try RestoreCommand.perform(rest)
        case "database": try DatabaseCommand.perform(rest)
        case "snapshot": try SnapshotCommand.perform(rest)
        case "trust": try TrustCommand.perform(rest)
        case "version", "--version": Console.say("turnpike-server \(version)")
        case "help", "--help", "-h": Console.say(help + "\n\n" + ServerSettings.table.help)
        case .some(let word):
            throw .usage(
                "there is no command \(word.prefix(64)); `turnpike-server help` lists them"
            )
        case nil: throw .usage("name a command; `turnpike-server help` lists them")
        }
    }
}
