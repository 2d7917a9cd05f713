import DataPlane
import Observability
import Reactor
import Testing
import Wire

@testable import turnpike_agent

struct AgentConfigurationTests {
    @Test func flagsWinOverTheEnvironment() throws {
        let (configuration, _) = try AgentConfiguration.read(
            file: nil,
            arguments: ["--mesh-listen", "127.0.0.1:1", "--servers", "a:1,b:2"],
            environment: [
                "TURNPIKE_AGENT_MESH_LISTEN": "127.0.0.1:2",
                "TURNPIKE_AGENT_LIMITS_IDLE_TIMEOUT": "5m",
            ]
        )
        #expect(configuration.meshAddress.port == 1)
        #expect(configuration.servers == ["a:1", "b:2"])
        #expect(configuration.idleTimeout == .seconds(300))
        let settings = configuration.dataPlaneSettings(descriptorLimit: 20_000)
        #expect(settings.idleTimeout == .seconds(300))
    }

    @Test(arguments: [
        (256, 64), (1_024, 256), (20_000, 9_744), (1_000_000, 100_000), (2, 1), (.max, 100_000),
    ])
    func connectionsLeaveDescriptorsForEverythingElse(_ limit: UInt64, _ count: Int) throws {
        let (configuration, _) = try AgentConfiguration.read(
            file: nil,
            arguments: [],
            environment: [:]
        )
        #expect(configuration.connectionsMax == 100_000)
        let settings = configuration.dataPlaneSettings(descriptorLimit: limit)
        #expect(settings.connectionsMax == count)
    }

    @Test func theFallbacksAreThoseOfTheTable() throws {
        let settings = try SettingsTable.agent.resolve(
            file: nil,
            fileName: "",
            arguments: [],
            environment: [:]
        )
        let configuration = try AgentConfiguration(settings)
        #expect(configuration.reactorCount == nil)
        #expect(configuration.idleTimeout == nil)
        #expect(configuration.advertisedAddress == nil)
        #expect(configuration.evidenceByteCountMax == .mebibytes(64))
        #expect(SettingsTableText.agent.contains("--status-listen"))
    }

    @Test(arguments: [["--flag"], ["--name"], ["--name", "--name"]])
    func aFlagWithoutItsValueIsRefused(_ arguments: [String]) throws {
        var rest = CommandArguments(arguments)
        let flag = rest.takeFlag("--flag")
        #expect(flag == (arguments == ["--flag"]))
        guard arguments == ["--name"] else { return }
        #expect(throws: StartFailure.self) { _ = try rest.takeValue("--name") }
    }

    @Test func theEnvironmentIsTheProcesses() {
        #expect(ProcessEnvironment.variables["PATH"] != nil)
    }

    @Test func commandsRefuseWhatTheyCannotRead() {
        #expect(throws: StartFailure.self) { try RunCommand.perform(["--check-config=x"]) }
        #expect(throws: StartFailure.self) { try JoinCommand.perform([]) }
        #expect(throws: StartFailure.self) { try StatusCommand.perform(["--nonsense"]) }
        #expect(throws: StartFailure.self) { try SnapshotCommand.perform(["show"]) }
        #expect(StandardStreams.now() > .epoch)
    }

    @Test func theStatusShowsWhatAPersonMustSee() {
        let document = Document.fields([
            "agent": "host-1",
            "manifest_expired": true,
            "advice": "join again",
            "health": [
                [
                    "service": "default/db", "instance": "port-5432", "state": "down",
                    "since": "2026-01-01T00:00:00Z", "problem": "refused",
                ]
            ],
            "upstreams": [
                ["port": 5432, "source": "default/web", "destination": "default/db", "uids": "any"]
            ],
        ])
        let text = StatusText.lines(document).joined(separator: "\n")
        #expect(text.contains("ANY local user"))
        #expect(text.contains("EXPIRED"))
        #expect(text.contains("join again"))
        #expect(text.contains("none connected"))
        #expect(text.contains("default/db port-5432: down since 2026-01-01T00:00:00Z: refused"))
    }

    @Test func aDaemonNeedsADirectoryOfItsOwn() throws {
        let (configuration, _) = try AgentConfiguration.read(
            file: nil,
            arguments: ["--data-directory", "/proc/nowhere"],
            environment: [:]
        )
        let daemon = try AgentProcess(
            configuration: configuration,
            logger: .silent,
            notifyAddress: nil,
            printsListeners: false,
            takesOver: false
        )
        #expect(throws: StartFailure.self) { try daemon.run() }
    }
}
