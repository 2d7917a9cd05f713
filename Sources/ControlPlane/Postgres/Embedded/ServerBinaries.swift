import Reactor

/// The programs of one installed PostgreSQL server.
struct ServerBinaries: Equatable, Sendable {
    let directory: String
    let majorVersion: Int
    /// As `postgres --version` says it, such as `15.18`.
    let version: String

    private static let versionDeadline: Duration = .seconds(10)
    private static let debianRoot = "/usr/lib/postgresql"

    /// Looks in the setting, `pg_config --bindir`, Debian's directories (newest first), then PATH.
    ///
    /// With `wanted` a server of that major version is taken if there is one.
    static func find(
        _ settings: EmbeddedSettings,
        wanted: Int?,
        on reactor: Reactor
    ) async throws(EmbeddedClusterError) -> ServerBinaries {
        let candidates = await directories(settings, on: reactor)
        var first: ServerBinaries?
        for directory in candidates {
            guard let found = await inspect(directory, on: reactor) else { continue }
            if wanted == nil || found.majorVersion == wanted { return try supported(found) }
            first = first ?? found
        }
        guard let first else { throw .noBinaries(searched: candidates) }
        return try supported(first)
    }

    /// The server of the newest major version that is found.
    static func newest(
        _ settings: EmbeddedSettings,
        on reactor: Reactor
    ) async throws(EmbeddedClusterError) -> ServerBinaries {
        let candidates = await directories(settings, on: reactor)
        var newest: ServerBinaries?
        for directory in candidates {
            guard let found = await inspect(directory, on: reactor) else { continue }
            if found.majorVersion > newest?.majorVersion ?? 0 { newest = found }
        }
        guard let newest else { throw .noBinaries(searched: candidates) }
        return try supported(newest)
    }

    /// The major version in the text of `postgres --version` or of a `PG_VERSION` file.
    static func majorVersion(in version: String) -> Int? {
        Int(version.prefix { $0.isASCII && $0.isNumber })
    }

    private static func supported(
        _ found: ServerBinaries
    ) throws(EmbeddedClusterError) -> ServerBinaries {
        guard found.majorVersion >= PostgresLimits.serverVersionMin / 10_000 else {
            throw .unsupportedVersion(found.version, directory: found.directory)
        }
        return found
    }

    private static func directories(
        _ settings: EmbeddedSettings,
        on reactor: Reactor
    ) async -> [String] {
        // A directory that somebody named is not replaced by one that nobody did.
        if let named = settings.binaryDirectory { return [named] }
        var directories: [String] = []
        for directory in settings.executablePath + ["/usr/bin"] {
            let program = directory + "/pg_config"
            guard FileSystem.isExecutable(program) else { continue }
            if let named = await firstLine(of: program, ["--bindir"], on: reactor) {
                directories.append(named)
            }
            break
        }
        let versions = (try? FileSystem.list(debianRoot)) ?? []
        directories += versions.compactMap(Int.init).sorted(by: >).map { "\(debianRoot)/\($0)/bin" }
        directories += settings.executablePath
        var seen: Set<String> = []
        return directories.filter { $0.hasPrefix("/") && seen.insert($0).inserted }
    }

    private static func inspect(_ directory: String, on reactor: Reactor) async -> ServerBinaries? {
        let server = directory + "/postgres"
        guard FileSystem.isExecutable(server), FileSystem.isExecutable(directory + "/initdb"),
            let line = await firstLine(of: server, ["--version"], on: reactor)
        else { return nil }
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let words = line.split(separator: " ")
        guard words.count >= 3, let major = majorVersion(in: String(words[2])) else { return nil }
        return ServerBinaries(
            directory: directory,
            majorVersion: major,
            version: String(words[2])
        )
    }

    private static func firstLine(
        of program: String,
        _ arguments: [String],
        on reactor: Reactor
    ) async -> String? {
        let command = Command(program, arguments, environment: environment, directory: "/")
        do {
            let outcome = try await command.run(on: reactor, deadline: versionDeadline)
            guard outcome.status.isSuccess else { return nil }
            let text = String(decoding: outcome.output, as: UTF8.self)
            return text.split(whereSeparator: \.isNewline).first.map(String.init)
        } catch {
            return nil
        }
    }

    /// What the programs of PostgreSQL get to see: nothing of ours.
    static let environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
}
