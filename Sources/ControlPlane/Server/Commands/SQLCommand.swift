import Foundation
import Observability
import Postgres
import Reactor

/// `turnpike-server sql`: psql on the embedded cluster, as the role that reads the dashboard.
enum SQLCommand {
    static func perform(_ arguments: [String]) throws(StartFailure) {
        let parts = arguments.split(separator: "--", maxSplits: 1, omittingEmptySubsequences: false)
        let options = try ServeCommand.Options(Array(parts.first ?? []))
        let configuration: ServerConfiguration
        do {
            configuration = try ServerConfiguration(try options.resolve())
        } catch let error as StartFailure {
            throw error
        } catch {
            throw .usage("\(error)")
        }
        guard configuration.databaseURL == nil else {
            throw .usage("the database is your own: open psql on it as turnpike_dashboard")
        }
        let directory = configuration.dataDirectory + "/database"
        let password: String
        do throws(FileError) {
            let bytes = try FileSystem.readSecret(
                directory + "/turnpike_dashboard.password",
                byteCountMax: 256
            )
            password = String(decoding: bytes, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            throw .work("is the server running with this data_directory? \(error)")
        }
        let psql = Process()
        psql.executableURL = URL(filePath: "/usr/bin/env")
        psql.arguments =
            [
                "psql", "-h", directory + "/cluster/socket", "-p",
                "\(configuration.dashboardAddress?.port ?? DatabaseURL.defaultPort)",
                "-U", "turnpike_dashboard", "-d", "turnpike",
            ] + (parts.count > 1 ? Array(parts[1]) : [])
        var environment = ProcessInfo.processInfo.environment
        environment["PGPASSWORD"] = password
        psql.environment = environment
        do {
            try psql.run()
        } catch {
            throw .work("psql could not be started: \(error)")
        }
        psql.waitUntilExit()
        exit(psql.terminationStatus)
    }
}
