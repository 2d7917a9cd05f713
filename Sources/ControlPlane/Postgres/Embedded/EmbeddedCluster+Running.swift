package import Reactor

/// A private cluster that another process runs, for those who only want to read it.
package struct RunningCluster: Sendable {
    /// As the superuser, to a database.
    package let url: DatabaseURL
    /// The programs of the server's own version.
    package let binaryDirectory: String
}

extension EmbeddedCluster {
    /// How to reach a cluster that runs already; takes no lock and starts nothing.
    ///
    /// - Throws: `passwordMissing` or `notACluster` where there is none.
    package static func running(
        _ settings: EmbeddedSettings,
        database: PostgresName,
        on reactor: Reactor
    ) async throws(EmbeddedClusterError) -> RunningCluster {
        let files = try ClusterFiles(settings)
        guard let version = try files.dataVersion() else {
            throw .notACluster(path: settings.dataDirectory)
        }
        let wanted = ServerBinaries.majorVersion(in: version)
        let binaries = try await ServerBinaries.find(settings, wanted: wanted, on: reactor)
        guard let password = try files.password(of: EmbeddedSettings.superuser) else {
            throw .passwordMissing(path: settings.passwordFile(of: EmbeddedSettings.superuser))
        }
        return RunningCluster(
            url: DatabaseURL(
                socketDirectory: settings.effectiveSocketDirectory,
                port: settings.port,
                user: EmbeddedSettings.superuser,
                password: password,
                database: database.text
            ),
            binaryDirectory: binaries.directory
        )
    }

    /// The major version that made the data; nil where there are none.
    package static func dataMajorVersion(
        _ settings: EmbeddedSettings
    ) throws(EmbeddedClusterError) -> Int? {
        try ClusterFiles(settings).dataVersion().flatMap(ServerBinaries.majorVersion)
    }

    /// The newest server on this machine, or the one in the directory that the settings name.
    package static func newestServer(
        _ settings: EmbeddedSettings,
        on reactor: Reactor
    ) async throws(EmbeddedClusterError) -> (majorVersion: Int, binaryDirectory: String) {
        let found = try await ServerBinaries.newest(settings, on: reactor)
        return (found.majorVersion, found.directory)
    }
}
