import Testing

@testable import Wire

@Suite struct SettingsTableTests {
    let table = SettingsTable(
        prefix: "TURNPIKE",
        [
            Setting("name", fallback: "server-1", "this replica"),
            Setting("api.listen", fallback: "127.0.0.1:7400", "where the API listens"),
            Setting("api.names", .list, fallback: "localhost", "names in the certificate"),
            Setting("api.quiet", .boolean, fallback: "false", "say less"),
            Setting(
                "leaves.ttl",
                .duration(.seconds(300)...(.seconds(86_400))),
                fallback: "1h",
                "life"
            ),
            Setting("pool", .integer(1...64), fallback: "8", "connections"),
            Setting(
                "spool",
                .byteCount(.kibibytes(1)...(.mebibytes(64))),
                fallback: "64MiB",
                "disk"
            ),
            Setting("log.format", .choice(["text", "json"]), fallback: "text", "how to log"),
        ]
    )

    private func resolve(
        yaml: String? = nil,
        _ arguments: [String] = [],
        _ environment: [String: String] = [:]
    ) throws -> ResolvedSettings {
        let file = try yaml.map { try YAML.parse($0, source: "server.yaml").first } ?? nil
        return try table.resolve(
            file: file,
            fileName: "server.yaml",
            arguments: arguments,
            environment: environment
        )
    }

    @Test func flagBeatsEnvironmentBeatsFileBeatsFallback() throws {
        let yaml = "api:\n  listen: 127.0.0.1:1\n"
        #expect(try resolve().text("api.listen") == "127.0.0.1:7400")
        #expect(try resolve(yaml: yaml).text("api.listen") == "127.0.0.1:1")
        let environment = ["TURNPIKE_API_LISTEN": "127.0.0.1:2"]
        #expect(try resolve(yaml: yaml, [], environment).text("api.listen") == "127.0.0.1:2")
        let flagged = try resolve(yaml: yaml, ["--api-listen", "127.0.0.1:3"], environment)
        #expect(flagged.text("api.listen") == "127.0.0.1:3")
        #expect(flagged.origin(of: "api.listen") == "--api-listen")
        #expect(flagged.origin(of: "name") == nil)
    }

    @Test func kindsDecideHowTextIsRead() throws {
        let yaml = """
            name: no
            api:
              names: [a.example, "10.0.0.1"]
              quiet: true
            leaves:
              ttl: 15m
            pool: 3
            spool: 2MiB
            """
        let settings = try resolve(
            yaml: yaml.replacing("[a.example, \"10.0.0.1\"]", with: "[\"a.example\", \"10.0.0.1\"]")
        )
        #expect(settings.text("name") == "no")
        #expect(settings.list("api.names") == ["a.example", "10.0.0.1"])
        #expect(settings.boolean("api.quiet"))
        #expect(settings.duration("leaves.ttl") == .seconds(900))
        #expect(settings.integer("pool") == 3)
        #expect(settings.byteCount("spool") == .mebibytes(2))
        let flags = try resolve(["--api-quiet", "--api-names=a,b", "--leaves-ttl=10m"])
        #expect(flags.boolean("api.quiet"))
        #expect(flags.list("api.names") == ["a", "b"])
        #expect(flags.duration("leaves.ttl") == .seconds(600))
    }

    @Test(arguments: [
        ("nam: x", "server.yaml:1:1: there is no setting `nam`"),
        (
            "api:\n  listn: x",
            "server.yaml:2:3: there is no setting `api.listn`; known here: api.listen"
        ),
        ("pool: many", "server.yaml:1:7: pool: "),
        ("leaves:\n  ttl: 1m", "server.yaml:2:8: leaves.ttl: "),
        ("log:\n  format: xml", "server.yaml:2:11: log.format: "),
        ("api: x", "server.yaml:1:6: api is not a map of settings"),
        ("- x", "server.yaml:1:1: the file is not a map of settings"),
    ])
    func badFileIsRefusedWithItsPlace(yaml: String, start: String) throws {
        let error = #expect(throws: SettingsError.self) { try resolve(yaml: yaml) }
        #expect(error?.description.hasPrefix(start) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        (["--nothing", "1"], "--nothing: there is no such flag"),
        (["serve"], "serve: there is no such flag"),
        (["--pool"], "--pool: the flag has no value"),
        (["--pool", "99"], "--pool: "),
        (["--api-quiet=maybe"], "--api-quiet: "),
    ])
    func badFlagIsRefusedByName(arguments: [String], start: String) throws {
        let error = #expect(throws: SettingsError.self) { try resolve(arguments) }
        #expect(error?.description.hasPrefix(start) == true, "\(String(describing: error))")
    }

    @Test func badVariableIsRefusedByName() throws {
        let error = #expect(throws: SettingsError.self) {
            try resolve([], ["TURNPIKE_POOL": "0", "TURNPIKE_ADDR": "left alone"])
        }
        #expect(error?.origin == "TURNPIKE_POOL")
    }

    @Test func secretsAreNotPrinted() throws {
        let text = try resolve(["--name", "hush"]).printed(without: ["name"])
        #expect(!text.contains("hush"))
        #expect(text.contains("pool: 8  # default"))
        #expect(table.help.contains("--leaves-ttl"))
    }
}
