import Foundation
import Observability
import Postgres
import Reactor
import Wire

/// `turnpike-server backup`: the whole database in one file, taken while the server runs.
enum BackupCommand {
    static let help = """
        turnpike-server backup --to FILE [--config FILE] [SETTINGS]
        turnpike-server backup --check FILE [--config FILE] [SETTINGS]

        Writes the database into a new file, mode 0600, while the server goes on: the file is one
        consistent state. It ends with a checksum over all of it and with a proof of its origin,
        for which keys.kek_file is read. Everything secret in it is sealed; its first line names
        the keys that open it, and one of these must be kept apart from it, with the trust key.
        `--check` reads a backup to its end and shows that line; with settings it also proves,
        with keys.kek_file, that this cluster made the file and nobody changed it.
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
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        guard !arguments.isEmpty else { return Console.say(help) }
        let options = try Options(arguments)
        if let file = options.checked {
            return try check(file, options.settings)
        }
        let configuration = try DatabaseAccess.configuration(options.settings)
        let target = options.target ?? ""
        let path =
            target.hasPrefix("/")
            ? target : FileManager.default.currentDirectoryPath + "/" + target
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { _, reactor throws(StartFailure) in
            let place = try await place(configuration, on: reactor)
            try await write(place, to: path, BackupProof(configuration), on: reactor)
        }
    }

    private static func check(_ file: String, _ settings: [String]) throws(StartFailure) {
        let configuration =
            settings.isEmpty ? nil : try DatabaseAccess.configuration(settings)
        let reader = try BackupFile.Reader(file, progress: Progress("checking").report) {
            header throws(StartFailure) in
            guard let configuration else { return nil }
            return try BackupProof(configuration).key(of: header)
        }
        Console.say("\(reader.header.description)\n\(reader.proof.description)")
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
        _ proof: BackupProof,
        on reactor: Reactor
    ) async throws(StartFailure) {
        try await DatabaseAccess.demandWhole(place.url, on: reactor)
        let summary = try await DatabaseAccess.summary(place.url, on: reactor)
        let major = try await DatabaseAccess.majorVersion(place.url, on: reactor)
        let header = BackupHeader(
            summary,
            createdAt: Console.now.rfc3339,
            version: Program.version,
            postgresMajor: major
        )
        let output = try BackupFile.Output(path, provedBy: try proof.key(of: header))
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
