import Foundation
import Reactor
import Support
import Testing
import Wire

@testable import turnpike_server

@Suite struct ServerConfigurationTests {
    private func configuration(
        _ arguments: [String] = [],
        file: Document? = nil
    ) throws -> ServerConfiguration {
        try ServerConfiguration(
            ServerSettings.table.resolve(
                file: file,
                fileName: "server.yaml",
                arguments: arguments,
                environment: [:]
            )
        )
    }

    private func example() throws -> Document {
        let file = Repository.top.appending(path: "deploy/server.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        return try #require(try YAML.parse(text, source: "deploy/server.yaml").first)
    }

    @Test func exampleFileNamesEverySettingWithItsDefault() throws {
        let example = try example()
        let fromFile = try ServerSettings.table.resolve(
            file: example,
            fileName: "deploy/server.yaml",
            arguments: [],
            environment: [:]
        )
        let fromDefaults = try ServerSettings.table.resolve(
            file: nil,
            fileName: "",
            arguments: [],
            environment: [:]
        )
        for setting in ServerSettings.table.settings {
            #expect(fromFile.origin(of: setting.key) != nil, "\(setting.key) is not in the example")
        }
        let values = { (settings: ResolvedSettings) in
            settings.printed().split(separator: "\n").map { $0.split(separator: "  # ")[0] }
        }
        #expect(values(fromFile) == values(fromDefaults))
    }

    @Test func defaultsMakeAConfiguration() throws {
        let configuration = try configuration()
        #expect(configuration.databaseURL == nil)
        #expect(configuration.apiAddress.port == 7400)
        #expect(configuration.agentAddress.port == 7401)
        #expect(configuration.leafLife == .seconds(3600))
        #expect(configuration.apiCertificate == nil)
    }

    @Test(arguments: [
        (["--trust-domain", "Not A Domain"], "trust_domain"),
        (["--name", "server_1"], "name"), (["--data-directory", "relative"], "data_directory"),
        (["--api-listen", "localhost"], "api.listen"),
        (["--agents-listen", "127.0.0.1"], "agents.listen"),
        (["--api-key-file", "/k.pem"], "both files"), (["--leaves-ttl", "25h"], ""),
        (["--database-url", "postgresql://u@db.example/d"], "sslmode=verify-full"),
        (["--database-pool-size", "0"], ""),
        (["--database-dashboard-listen", "0.0.0.0:7432"], "database.dashboard_listen"),
        (["--database-dashboard-listen", "127.0.0.1:0"], "database.dashboard_listen"),
        (
            [
                "--database-dashboard-listen", "127.0.0.1:7432", "--database-url",
                "postgresql://u@localhost/d",
            ],
            "embedded"
        ),
    ])
    func badSettingsAreRefusedByName(arguments: [String], word: String) throws {
        let error = #expect(throws: SettingsError.self) { try configuration(arguments) }
        #expect(error?.origin == arguments[0])
        #expect(word.isEmpty || error?.problem.contains(word) == true)
    }

    @Test func aDatabaseURLIsNeverPrinted() throws {
        let settings = try ServerSettings.table.resolve(
            file: nil,
            fileName: "",
            arguments: ["--database-url", "postgresql://u:hush@h/d"],
            environment: [:]
        )
        #expect(!settings.printed(without: ServerSettings.secret).contains("hush"))
    }
}
