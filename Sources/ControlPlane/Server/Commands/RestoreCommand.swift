import Control
import Crypto
import Foundation
import Mesh
import Observability
import Postgres
import Reactor
import Snapshot
import Store
import Synchronization
import Wire

/// `turnpike-server restore`: a backup into an empty place, and the epoch that lets agents follow.
enum RestoreCommand {
    static let help = """
        turnpike-server restore --from FILE [--trust-key FILE]… [--accept-unproved]
                                [--config FILE] [SETTINGS]

        Puts a backup into a database that holds nothing yet: the embedded one, or that of
        --database-url. Needed are one of the keys that the backup names (keys.kek_file) and the
        trust key (keys.trust_key_file unless --trust-key names others): agents may enforce
        something newer than the backup, so the restore raises the epoch of the trust document,
        and they follow from whatever they have as soon as they connect.

        What was revoked, deleted or rotated after the backup is valid again: look through tokens,
        agents and intentions. Leases do not end by themselves, and no sweep removes a role, until
        `turnpike lease release`. Agents that joined after it join again. If the trust keys were
        changed after the backup, name the old and the new ones.

        Before anything is made, keys.kek_file proves that the cluster named in the backup made it
        and that nobody changed it since. A backup of an early version proves nothing: whoever
        could write that file decides what the restored mesh grants. --accept-unproved takes it
        nevertheless.
        """

    /// What stands on the command line beside the settings.
    struct Options: Equatable {
        var source = ""
        var trustKeys: [String] = []
        var acceptsUnproved = false
        var settings: [String] = []

        init(_ arguments: [String]) throws(StartFailure) {
            var rest = arguments[...]
            while let argument = rest.popFirst() {
                switch argument {
                case "--from", "--trust-key":
                    guard let value = rest.popFirst(), !value.isEmpty else {
                        throw .usage("\(argument): the flag has no value; name a file")
                    }
                    if argument == "--from" { source = value } else { trustKeys.append(value) }
                case "--accept-unproved": acceptsUnproved = true
                default: settings.append(argument)
                }
            }
            guard !source.isEmpty else { throw .usage("say what to restore: --from FILE") }
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        guard !arguments.isEmpty else { return Console.say(help) }
        let options = try Options(arguments)
        let configuration = try DatabaseAccess.configuration(options.settings)
        let backup = try backup(options, configuration)
        let keys = try trustKeys(options, configuration)
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { _, reactor throws(StartFailure) in
            let restore = Restore(
                configuration: configuration,
                backup: backup,
                trustKeys: keys,
                logger: logger,
                reactor: reactor
            )
            try await restore.perform()
        }
    }

    /// A backup that is whole and proved, or taken as it is in so many words.
    private static func backup(
        _ options: Options,
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> BackupFile.Reader {
        let proof = BackupProof(configuration)
        let backup = try BackupFile.Reader(
            options.source,
            progress: Progress("checking").report,
            key: proof.key
        )
        guard backup.proof != .proved else { return backup }
        try proof.demandKey(of: backup.header)
        guard options.acceptsUnproved else {
            throw .work(
                "\(options.source): nothing proves who made this backup: it is of version"
                    + " \(backup.header.version), before backups proved their origin. Whoever could"
                    + " write the file decides what the restored mesh grants; if nobody else could,"
                    + " add --accept-unproved"
            )
        }
        return backup
    }

    /// Everything that is needed is there before anything is made.
    private static func trustKeys(
        _ options: Options,
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> [SigningKey] {
        let files = options.trustKeys.isEmpty ? [configuration.trustKeyFile] : options.trustKeys
        var keys: [SigningKey] = []
        for file in files {
            do throws(OfflineProblems) {
                keys.append(try OfflineKeys.key(file))
            } catch {
                throw .work(
                    "the trust key: \(error.lines.joined(separator: "; ")); without it agents would"
                        + " not follow: name it with --trust-key FILE"
                )
            }
        }
        return keys
    }
}

/// One restore, from checks that are passed to an epoch that is raised.
private struct Restore: Sendable {
    let configuration: ServerConfiguration
    let backup: BackupFile.Reader
    let trustKeys: [SigningKey]
    let logger: Logger
    let reactor: Reactor

    private static let runtimeRole = PostgresName(literal: "turnpike_runtime")

    func perform() async throws(StartFailure) {
        if let text = configuration.databaseURL {
            let place = try await DatabaseAccess.external(text, configuration, on: reactor)
            return try await DatabaseAccess.filling(place.url, on: reactor) {
                () throws(StartFailure) in
                try await fill(place)
                var settings = PostgresSettings(url: place.url)
                settings.role = Self.runtimeRole
                try await raiseEpoch(settings)
            }
        }
        let settings = DatabaseAccess.embedded(configuration)
        try demandNothing(at: settings.directory)
        let made = MadeHere()
        do throws(StartFailure) {
            try await DatabaseAccess.withCluster(settings, on: reactor, report: made.hear) {
                cluster throws(StartFailure) in
                try await fill(cluster)
            }
        } catch {
            // Of no use, but only what this very run made: another process may have been quicker.
            if made.isSet { try? FileSystem.removeTree(settings.directory) }
            throw error
        }
    }

    private func fill(_ cluster: EmbeddedCluster) async throws(StartFailure) {
        let place = try await DatabaseAccess.place(in: cluster)
        try await DatabaseAccess.filling(place.url, on: reactor) { () throws(StartFailure) in
            try await fill(place)
            let url: DatabaseURL
            do throws(EmbeddedClusterError) {
                url = try await cluster.loginURL(
                    role: Self.runtimeRole,
                    database: DatabaseAccess.name
                )
            } catch {
                throw .work("\(error)")
            }
            try await raiseEpoch(PostgresSettings(url: url))
        }
    }

    private func demandNothing(at directory: String) throws(StartFailure) {
        let isFree: Bool
        do throws(FileError) {
            isFree = try FileSystem.status(directory) == nil
            let isShared = ProcessLimits.effectiveUser == 0
            if isFree {
                try FileSystem.makeDirectory(
                    configuration.dataDirectory,
                    mode: isShared ? 0o711 : 0o700
                )
            }
        } catch {
            throw .work("data_directory: \(error)")
        }
        guard isFree else {
            throw .work(
                "\(directory) exists already: stop the server and move it away, or name an empty"
                    + " data_directory"
            )
        }
    }

    private func fill(_ place: DatabaseAccess.Place) async throws(StartFailure) {
        let (progress, count) = (Progress("restoring"), Counted())
        try await place.programs.restore(place.url) { () throws(StartFailure) in
            guard let piece = try backup.next() else { return nil }
            progress.report(count.add(piece.count))
            return piece
        }
        let summary = try await DatabaseAccess.summary(place.url, on: reactor)
        guard summary.clusterID.description == backup.header.clusterID,
            summary.revision >= backup.header.revision
        else { throw .work("\(place.url): what was restored is not what the backup says") }
        try await DatabaseAccess.migrate(place.url, on: reactor)
    }

    private func raiseEpoch(_ settings: PostgresSettings) async throws(StartFailure) {
        let pool = PostgresPool(settings, on: reactor) { Double.random(in: 0..<1) }
        let outcome: Result<Void, StartFailure>
        do throws(StartFailure) {
            let control = try await Replica.openControl(configuration, pool, logger)
            do {
                // Before anybody serves what is there.
                let isHeld = try await control.leases.hold(
                    because: "restored",
                    by: control.server
                )
                let authority = try await Authority.open(control)
                let raised = try await EpochRaise(control, authority).perform(
                    signedBy: trustKeys,
                    reason: "restored from a backup of \(backup.header.createdAt)"
                )
                Console.say(
                    "restored revision \(backup.header.revision) of \(backup.header.createdAt);"
                        + " trust document \(raised.version) raises the epoch from"
                        + " \(backup.header.epoch) to \(raised.epoch)\nstart `turnpike-server"
                        + " serve`: agents follow as they connect"
                )
                if isHeld {
                    Console.say(
                        "leases do not end by themselves, and no sweep removes a role, until"
                            + " `turnpike lease release`: some may have been renewed or issued after"
                            + " the backup"
                    )
                }
            } catch {
                throw StartFailure.work("\(error)")
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await pool.close()
        try outcome.get()
    }
}

/// Whether a cluster was made by this run, and not found.
private final class MadeHere: Sendable {
    private let flag = Mutex(false)

    var isSet: Bool { flag.withLock { $0 } }

    func hear(_ event: EmbeddedEvent) {
        if case .creating = event { flag.withLock { $0 = true } }
    }
}
