import Foundation
import Reactor

extension EmbeddedCluster {
    private static let initialisationDeadline: Duration = .seconds(300)

    static func takeLock(
        _ settings: EmbeddedSettings
    ) throws(EmbeddedClusterError) -> FileLock? {
        do throws(FileError) {
            return try FileLock(settings.directory + "/lock")
        } catch {
            if error.reason == .locked { throw .inUse(directory: settings.directory) }
            throw .file(error)
        }
    }

    /// Runs `initdb` beside the final place, so that a cluster is there whole or not at all.
    static func create(
        _ files: ClusterFiles,
        _ binaries: ServerBinaries,
        on reactor: Reactor,
        random: @Sendable (Int) -> [UInt8]
    ) async throws(EmbeddedClusterError) -> String {
        let settings = files.settings
        let password = try files.makePassword(of: EmbeddedSettings.superuser, random: random)
        let passwordFile = try files.writeInitialPassword(password)
        let outcome: Result<Void, EmbeddedClusterError>
        do throws(EmbeddedClusterError) {
            try await run("/bin/rm", ["-rf", settings.unfinishedDirectory], files, on: reactor)
            try await run(
                binaries.directory + "/initdb",
                [
                    "--pgdata=\(settings.unfinishedDirectory)", "--encoding=UTF8",
                    "--locale=C.UTF-8", "--auth=scram-sha-256", "--data-checksums",
                    "--username=\(EmbeddedSettings.superuser)", "--pwfile=\(passwordFile)",
                    "--no-instructions",
                ],
                files,
                on: reactor
            )
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        _ = try? FileSystem.remove(passwordFile)
        try outcome.get()
        do throws(FileError) {
            try FileSystem.rename(settings.unfinishedDirectory, to: settings.dataDirectory)
            try FileSystem.syncDirectory(settings.clusterDirectory)
        } catch {
            throw .file(error)
        }
        return password
    }

    private static func run(
        _ program: String,
        _ arguments: [String],
        _ files: ClusterFiles,
        on reactor: Reactor
    ) async throws(EmbeddedClusterError) {
        let command = Command(
            program,
            arguments,
            environment: ServerBinaries.environment,
            directory: "/",
            user: files.runner
        )
        let outcome: CommandOutcome
        do throws(CommandFailure) {
            outcome = try await command.run(on: reactor, deadline: initialisationDeadline)
        } catch {
            throw .commandFailed(program: program, reason: "\(error)")
        }
        guard outcome.status.isSuccess else {
            let text = lastLines(String(decoding: outcome.error, as: UTF8.self))
            throw .commandFailed(program: program, reason: "\(outcome.status): \(text)")
        }
    }

    static func lastLines(_ text: String) -> String {
        let lines = text.split(whereSeparator: \.isNewline).suffix(3)
        return String(lines.joined(separator: "; ").suffix(500))
    }

    static func offReactor(
        _ work: @escaping @Sendable () throws(EmbeddedClusterError) -> Void
    ) async throws(EmbeddedClusterError) {
        let outcome = await BlockingWork.run { () -> Result<Void, EmbeddedClusterError> in
            do throws(EmbeddedClusterError) {
                return .success(try work())
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
