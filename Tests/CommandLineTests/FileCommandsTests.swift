import Foundation
import Mesh
import Testing
import Wire

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct FileCommandsTests {
    /// A new service with everything it needs.
    private static let onboarding = """
        kind: service
        name: web
        protocol: http
        placements: ["host-1"]
        instances:
          - agent: host-1
            port: 8080
        upstreams:
          - agent: host-1
            port: 9000
            destination: orders-db
            uids: [1000]
        intentions:
          - source: gateway
            action: allow
        """

    private static func file(_ text: String, _ name: String = "web.yaml") throws -> String {
        let directory = NSTemporaryDirectory() + "turnpike-files-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        return "\(directory)/\(name)"
    }

    @Test func aServiceIsOnboardedFromFifteenLines() async throws {
        let lines = Self.onboarding.split(separator: "\n")
        #expect(lines.count <= 15)
        #expect(lines.allSatisfy { $0.count <= 100 })
        let server = try await ScriptedServer([
            "POST /v1/apply": (
                200,
                #"{"revision":9,"dry_run":false,"results":["#
                    + #"{"kind":"service","path":"services/default/web","action":"create"},"#
                    + #"{"kind":"placement","path":"placements/default/web/host-1","#
                    + #""action":"unchanged"}]}"#
            )
        ])
        let outcome = await server.run("apply", "-f", try Self.file(Self.onboarding))
        #expect(outcome.code == .success, "\(outcome)")
        #expect(
            outcome.output == """
                created   services/default/web
                unchanged placements/default/web/host-1

                """
        )
        let body = try JSON.parse(server.requests.first?.body ?? "")
        let resource = try Resource(reading: FieldValue(try #require(body["resources"]?[0])))
        #expect(
            resource.parts.map(\.kind) == [
                .service, .placement, .instance, .upstream, .intention,
            ]
        )
        // The field's type decides, not the look of the text: numbers are numbers on the wire.
        #expect(body["resources"]?[0]?["instances"]?[0]?["port"]?.integer == 8080)
        await server.finish()
    }

    @Test func directoriesAndStandardInputAreRead() async throws {
        let first = try Self.file("kind: namespace\nname: one\n", "a.yaml")
        let directory = String(first.dropLast("/a.yaml".count))
        try #"{"kind":"namespace","name":"two"}"#.write(
            toFile: directory + "/b.json",
            atomically: false,
            encoding: .utf8
        )
        try "not: yaml: at all".write(
            toFile: directory + "/README.md",
            atomically: false,
            encoding: .utf8
        )
        let input = "kind: namespace\nname: three\n---\nkind: namespace\nname: four\n"
        let files = ResourceFiles(readInput: { Array(input.utf8) })
        let paths = try files.load([directory, "-"]).map(\.resource.path)
        #expect(paths == ["one", "two", "three", "four"].map { "namespaces/\($0)" })
    }

    @Test func everyMistakeIsToldByItsPlaceBeforeAnythingIsSent() async throws {
        let path = try Self.file(
            "kind: service\nname: web\nprotocl: tcp\n---\nkind: namespace\nname: Upper\n"
        )
        let outcome = await Outcome.run(["apply", "-f", path])
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("\(path):3:1: protocl"))
        #expect(outcome.errors.contains("\(path):6:7: name"))
        #expect(outcome.errors.contains("nothing was sent"))
    }

    @Test(arguments: [
        ("/nowhere/at-all.yaml", "does not exist"), ("-", "hold no resource"),
    ])
    func missingFilesAreTold(_ path: String, _ problem: String) async {
        let outcome = await Outcome.run(["diff", "-f", path])
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains(problem))
    }

    @Test func errorsOfTheServerAreToldByFileAndLine() async throws {
        let path = try Self.file("kind: namespace\nname: a\n---\nkind: namespace\nname: b\n")
        let server = try await ScriptedServer([
            "POST": (400, #"{"errors":["resources[1].name: is taken"],"code":"apply.invalid"}"#)
        ])
        let outcome = await server.run("apply", "-f", path)
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("\(path):4: name: is taken"))
        await server.finish()
        #expect(FiledResource.located("resources[9]: x", []) == "resources[9]: x")
    }

    @Test func diffShowsFieldsAndExitsWithOne() async throws {
        let path = try Self.file(Self.onboarding)
        let server = try await ScriptedServer([
            "POST /v1/apply?dry_run=true": (
                200,
                #"{"revision":null,"dry_run":true,"results":["#
                    + #"{"kind":"service","path":"services/default/web","action":"update","#
                    + #""differences":[{"field":"protocol","from":"tcp","to":"http"}]},"#
                    + #"{"kind":"intention","path":"intentions/x","action":"create","#
                    + #""differences":[]}]}"#
            )
        ])
        let outcome = await server.run("diff", "-f", path)
        #expect(outcome.code == .difference)
        #expect(
            outcome.output == """
                ~ services/default/web
                    protocol: tcp -> http
                + intentions/x

                """
        )
        await server.finish()
    }

    @Test func policiesFollowOneByOneAndOnlyWhenTheyChange() async throws {
        let policy = "kind: policy\nname: ops\npaths:\n  services/*: [\"read\"]\n"
        let path = try Self.file(policy)
        let same = #"{"name":"ops","paths":{"services/*":["read"]},"version":1}"#
        let other = #"{"name":"ops","paths":{"services/*":["list"]},"version":1}"#
        let server = try await ScriptedServer([
            "GET /v1/policies/ops": (200, same), "GET /v1/policies/ops": (200, other),
            "PUT /v1/policies/ops": (200, same),
        ])
        #expect(await server.run("apply", "-f", path).output == "unchanged policies/ops\n")
        #expect(await server.run("apply", "-f", path).output == "updated   policies/ops\n")
        #expect(server.requests.map(\.method) == ["GET", "GET", "PUT"])
        await server.finish()
    }

    @Test func exportIsTakenBackUnchanged() async throws {
        let documents = try YAML.parse(Self.onboarding).map { document in
            try Resource(reading: FieldValue(document)).fileDocument
        }
        let json = String(decoding: JSON.compact(.list(documents)), as: UTF8.self)
        let server = try await ScriptedServer([
            "GET /v1/export": (200, #"{"revision":4,"resources":\#(json)}"#),
            "GET /v1/policies": (
                200,
                #"{"items":[{"name":"admin","paths":{"*":["sudo"]},"version":1},"#
                    + #"{"name":"ops","paths":{"services/*":["read"]},"version":3}],"next":null}"#
            ),
        ])
        let path = try Self.file("", "export.yaml")
        let outcome = await server.run("export", "-f", path)
        #expect(outcome.code == .success, "\(outcome)")
        let loaded = try ResourceFiles(readInput: { [] }).load([path]).map(\.resource)
        #expect(loaded.map(\.path) == ["services/default/web", "policies/ops"])
        #expect(loaded.first?.fileDocument == documents.first)
        #expect(await server.run("export").output.hasPrefix("kind: service\n"))
        await server.finish()
    }
}
