import Foundation
import Mesh
import Reactor
import Snapshot
import Support
import Testing
import Wire

@testable import turnpike_agent

struct CommandLineTests {
    @Test func theKernelsRecordGivesTheArgumentsAsTheyWere() {
        let line = Array("turnpike-agent\0run\0--log-level\0\0x y\0".utf8)
        #expect(ProcessArguments.list(commandLine: line) == ["run", "--log-level", "", "x y"])
        #expect(ProcessArguments.list(commandLine: Array("turnpike-agent\0".utf8)) == [])
        #expect(ProcessArguments.list(commandLine: []) == [])
    }

    private func file(_ text: String, mode: Int = 0o600) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/agent-\(UUID()).yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    @Test(arguments: [
        ("mesh:\n  listne: 1\n", ":2:3:"),
        ("mesh:\n  listen: nowhere\n", ":2:11:"),
        ("status:\n  listen: 0.0.0.0:7410\n", "loopback"),
        ("upstreams:\n  address: 10.0.0.1\n", "loopback"),
        ("servers:\n  - control\n", "host:port"),
        ("data_directory: relative\n", "absolute"),
        ("limits:\n  drain: soon\n", ":2:10:"),
        ("log:\n  level: loud\n", "log.level"),
        ("mesh: [\n", ":"),
    ])
    func aWrongFileIsRefusedWithItsPlace(_ text: String, _ expected: String) async throws {
        let path = try file(text)
        let result = try await AgentChild.run(["run", "--config", path, "--check-config"])
        #expect(result.code == 2)
        #expect(result.errors.contains(expected), "\(result.errors)")
        try FileManager.default.removeItem(atPath: path)
    }

    @Test(arguments: [
        [], ["fly"], ["run", "--fly"], ["run", "--config"], ["join"], ["snapshot"],
        ["snapshot", "eat", "x"],
    ])
    func aWrongCommandLineIsRefused(_ arguments: [String]) async throws {
        let result = try await AgentChild.run(arguments)
        #expect(result.code == 2)
        #expect(result.errors.hasPrefix("turnpike-agent: "))
    }

    @Test func theExampleFileIsInOrderAndHoldsEverySetting() async throws {
        let example =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path + "/deploy/agent.yaml"
        let checked = try await AgentChild.run(["run", "--config", example, "--check-config"])
        #expect(checked.code == 0, "\(checked.errors)")
        let text = try String(contentsOfFile: example, encoding: .utf8)
        let document = try YAML.parseSingle(Array(text.utf8), source: example)
        let printed = try await AgentChild.run(["run", "--config", example, "--print-config"])
        for line in printed.output.split(separator: "\n") {
            let key = String(line.prefix { $0 != ":" })
            let value = key.split(separator: ".").reduce(document as Document?) { node, name in
                node?[String(name)]
            }
            #expect(value != nil, "\(key) is missing in the example")
        }
        let bare = try await AgentChild.run(["run", "--print-config"])
        let values: (String) -> [String] = { output in
            output.split(separator: "\n").map { line in
                String(line.split(separator: "#").first ?? "")
            }
        }
        #expect(values(bare.output) == values(printed.output))
    }

    @Test func aTokenThatOthersMayReadIsRefusedAndNeverShown() async throws {
        let path = try file("tpj1.c2VjcmV0LXNlY3JldA", mode: 0o644)
        let open = try await AgentChild.run(["join", "--token-file", path])
        #expect(open.code == 1)
        #expect(open.errors.contains("0600"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let wrong = try await AgentChild.run(["join", "--token-file", path])
        #expect(wrong.code == 1)
        #expect(!wrong.errors.contains("c2VjcmV0"))
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func aHostThatNeverJoinedSaysHowTo() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/agent-\(UUID())"
        let result = try await AgentChild.run(
            ["run", "--data-directory", path, "--mesh-listen", "127.0.0.1:0"]
        )
        #expect(result.code == 1)
        #expect(result.errors.contains("turnpike agent invite"))
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func snapshotsAreShownAndVerifiedWithoutAServer() async throws {
        let mesh = try TestMesh(now: Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()))
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(try ServiceName("db"), on: directory.agent))
        let verified = try await AgentChild.run(["snapshot", "verify", directory.path])
        #expect(verified.code == 0, "\(verified.errors)")
        #expect(verified.output.contains("hosts default/db"))
        let shown = try await AgentChild.run(["snapshot", "show", directory.path])
        #expect(shown.output.contains("\"revision\": 1"))
        let manifest = directory.path + "/snapshot/manifest.json"
        let file = try await AgentChild.run(
            ["snapshot", "verify", manifest, "--trust", directory.path + "/trust.json"]
        )
        #expect(file.code == 0, "\(file.errors)")
        let other = try AgentDirectory(try TestMesh(now: mesh.now), agent: "host-1")
        let foreign = try await AgentChild.run(
            ["snapshot", "verify", manifest, "--trust", other.path + "/trust.json"]
        )
        #expect(foreign.code == 1)
        #expect(foreign.errors.contains("unknown_key"))
        var bytes = try FileSystem.read(manifest, byteCountMax: 1 << 20)
        bytes[bytes.count / 2] ^= 1
        try directory.write(SnapshotFiles.manifestName, bytes)
        #expect(try await AgentChild.run(["snapshot", "verify", directory.path]).code == 1)
    }
}
