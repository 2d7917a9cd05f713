import Foundation
import Observability
import Postgres
import Reactor
import Wire

/// `turnpike-server backup`: the whole database in one file, taken while the server runs.
enum BackupCommand {
    static let help = """
        turnpike-server backup --to FILE [--config FILE] [SETTINGS]
        turnpike-server backup --check FILE

        Writes the database into a new file, mode 0600, while the server goes on: the file is one
        consistent state. It ends with a checksum over all of it. Everything secret in it is
        sealed; its first line names the keys that open it, and one of these must be kept apart
        from it, with the trust key. `--check` reads a backup to its end and shows that line.
        """

    /// What stands on the command line beside the settings.
    struct Options: Equatable {
        var target: String?
        var checked: String?
        var settings: [String] = []

        init(_ arguments: [String]) throws(StartFailure) {
            var rest = arguments[...]
            while let argument = rest.popFirst() {
                switch argument {
                case "--to", "--check":
                    guard let value = rest.popFirst(), !value.isEmpty else {
                        throw .usage("\(argument): the flag has no value; name a file")
                    }
                    if argument == "--to" { target = value } else { checked = value }
                default: settings.append(argument)
                }
            }
            guard (target == nil) != (checked == nil) else {
                throw .usage("say where to: --to FILE; or look at one: --check FILE")
            }
            guard checked == nil || settings.isEmpty else {
                throw .usage("--check FILE takes no settings")
            }
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        guard !arguments.isEmpty else { return Console.say(help) }
        let options = try Options(arguments)
        if let file = options.checked {
            let reader = try BackupFile.Reader(file, progress: Progress("checking").report)
            return Console.say(reader.header.description)
        }
        let configuration = try DatabaseAccess.configuration(options.settings)
        let target = options.target ?? ""
        let path =
            target.hasPrefix("/")
            ? target : FileManager.default.currentDirectoryPath + "/" + target
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { _, reactor throws(StartFailure) in
            let place = try await place(configuration, on: reactor)
            try await write(place, to: path, on: reactor)
        }
    }

    /// The database, whoever runs it.
    private static func place(
        _ configuration: ServerConfiguration,
        on reactor: Reactor
    ) async throws(StartFailure) -> DatabaseAccess.Place {
        if let url = configuration.databaseURL {
            return try await DatabaseAccess.external(url, configuration, on: reactor)
        }
        var settings = DatabaseAccess.embedded(configuration)
        settings.readerPort = configuration.dashboardAddress.flatMap {
            ReaderPort(
                $0,
                role: PostgresName(literal: "turnpike_dashboard"),
                database: DatabaseAccess.name
            )
        }
        do throws(EmbeddedClusterError) {
            let running = try await EmbeddedCluster.running(
                settings,
                database: DatabaseAccess.name,
                on: reactor
            )
            return DatabaseAccess.Place(
                url: running.url,
                programs: DatabasePrograms(directory: running.binaryDirectory)
            )
        } catch {
            throw .work("\(error)")
        }
    }

    private static func write(
        _ place: DatabaseAccess.Place,
        to path: String,
        on reactor: Reactor
    ) async throws(StartFailure) {
        let summary = try await DatabaseAccess.summary(place.url, on: reactor)
        let major = try await DatabaseAccess.majorVersion(place.url, on: reactor)
        let header = BackupHeader(
            summary,
            createdAt: Console.now.rfc3339,
            version: Program.version,
            postgresMajor: major
        )
        let output = try BackupFile.Output(path)
        let progress = Progress("backing up")
        do throws(StartFailure) {
            try output.write(Array(BackupHeader.magic.utf8) + header.encoded)
            try await place.programs.dump(place.url) { piece throws(StartFailure) in
                progress.report(try output.write(piece))
            }
            let count = try output.finish()
            Console.say("\(path): \(count) bytes\n\(header.description)")
        } catch {
            output.abandon()
            throw error
        }
    }
}
