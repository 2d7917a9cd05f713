import Foundation
import Observability
import Postgres
import Reactor
import Store
import Wire

/// `turnpike-server database move | upgrade`: the embedded cluster into another one.
enum DatabaseCommand {
    static let help = """
        turnpike-server database move --to URL [--config FILE] [SETTINGS]
        turnpike-server database upgrade [--rebuild] [--config FILE] [SETTINGS]

        Both copy the embedded database while the server is stopped, compare the copy with what it
        was made of, and leave the old one as it was.

        move     into an empty database of your own, such as
                 postgresql://turnpike@db1/turnpike?sslmode=verify-full&sslrootcert=FILE
                 From then on `serve` wants that URL; the old one is marked and not served again.
        upgrade  to the newest major version of PostgreSQL on this machine (or the one in
                 database.binaries); the programs of the old one must still be there. With
                 --rebuild also to the same version. Minor versions need a restart only.
        """

    static func perform(_ arguments: [String]) throws(StartFailure) {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case nil: Console.say(help)
        case "move": try move(rest)
        case "upgrade": try upgrade(rest)
        case .some(let word):
            throw .usage(
                "write `turnpike-server database move` or `… upgrade`, not \(word.prefix(64))"
            )
        }
    }

    private static func embeddedOnly(
        _ settings: [String]
    ) throws(StartFailure) -> ServerConfiguration {
        let configuration = try DatabaseAccess.configuration(settings)
        guard configuration.databaseURL == nil else {
            throw .usage("database.url is set: this is for the embedded database")
        }
        try EmbeddedState(configuration).checkNotMoved()
        return configuration
    }

    /// Where a URL with a password comes from.
    private static let targetVariable = "TURNPIKE_DATABASE_MOVE_TO"

    private static func move(_ arguments: [String]) throws(StartFailure) {
        var (settings, target): ([String], String?) = ([], nil)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument == "--to" else {
                settings.append(argument)
                continue
            }
            guard let value = rest.popFirst(), !value.isEmpty else {
                throw .usage("--to: the flag has no value; write --to URL")
            }
            // Everybody on the machine reads the command line of a copy that takes hours.
            let user = value.split(separator: "@").first?.split(separator: "/").last ?? ""
            guard !value.contains("@") || !user.contains(":") else {
                throw .usage("--to: takes no password; put the whole URL into \(targetVariable)")
            }
            target = value
        }
        guard let target = target ?? ProcessInfo.processInfo.environment[targetVariable] else {
            throw .usage("say where to: --to URL, or \(targetVariable) in the environment")
        }
        let configuration = try embeddedOnly(settings)
        let state = EmbeddedState(configuration)
        try state.demandCluster()
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { _, reactor throws(StartFailure) in
            let place = try await DatabaseAccess.external(target, configuration, on: reactor)
            try await DatabaseAccess.withCluster(
                DatabaseAccess.embedded(configuration),
                on: reactor
            ) { cluster throws(StartFailure) in
                let copied = try await DatabaseAccess.copy(
                    DatabaseAccess.place(in: cluster),
                    to: place,
                    on: reactor
                )
                try state.markMoved(to: "\(place.url)")
                Console.say(
                    "moved revision \(copied.revision) with \(copied.auditCount) audit records to"
                        + " \(place.url)\nset database.url to it; the old data stay in"
                        + " \(state.directory)"
                )
            }
        }
    }

    private static func upgrade(_ arguments: [String]) throws(StartFailure) {
        let isRebuild = arguments.contains("--rebuild")
        let configuration = try embeddedOnly(arguments.filter { $0 != "--rebuild" })
        let state = EmbeddedState(configuration)
        if try state.finishUpgrade() {
            return Console.say("an upgrade that was interrupted is now complete")
        }
        try state.demandCluster()
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { _, reactor throws(StartFailure) in
            try await upgrade(configuration, state, isRebuild: isRebuild, on: reactor)
        }
    }

    private static func upgrade(
        _ configuration: ServerConfiguration,
        _ state: EmbeddedState,
        isRebuild: Bool,
        on reactor: Reactor
    ) async throws(StartFailure) {
        var (old, new) = (
            DatabaseAccess.embedded(configuration), DatabaseAccess.embedded(configuration)
        )
        let (current, newest): (Int, (majorVersion: Int, binaryDirectory: String))
        do throws(EmbeddedClusterError) {
            current = try EmbeddedCluster.dataMajorVersion(old) ?? 0
            newest = try await EmbeddedCluster.newestServer(new, on: reactor)
        } catch {
            throw .work("\(error)")
        }
        guard newest.majorVersion >= current else {
            throw .work(
                "the data are of PostgreSQL \(current), but the newest server found is"
                    + " \(newest.majorVersion) in \(newest.binaryDirectory): there is no way back"
            )
        }
        guard newest.majorVersion > current || isRebuild else {
            return Console.say(
                "the data are of PostgreSQL \(current), the newest major version found here"
                    + " (\(newest.binaryDirectory)): nothing to do"
            )
        }
        old.binaryDirectory = newest.majorVersion == current ? newest.binaryDirectory : nil
        new.binaryDirectory = newest.binaryDirectory
        new.directory = state.newDirectory
        try state.prepareUpgrade()
        let revision = try await DatabaseAccess.withCluster(old, on: reactor) {
            source throws(StartFailure) in
            try await DatabaseAccess.withCluster(new, on: reactor) { target throws(StartFailure) in
                try await DatabaseAccess.copy(
                    // The newer programs read the older server too.
                    DatabaseAccess.Place(
                        url: source.superuserURL(database: DatabaseAccess.name.text),
                        programs: DatabasePrograms(directory: newest.binaryDirectory)
                    ),
                    to: DatabaseAccess.place(in: target),
                    on: reactor
                ).revision
            }
        }
        let kept = try state.completeUpgrade(from: current, now: Console.now)
        Console.say(
            "copied revision \(revision) from PostgreSQL \(current) to \(newest.majorVersion)\nthe"
                + " old data stay in \(kept); remove them when all is well"
        )
    }
}
