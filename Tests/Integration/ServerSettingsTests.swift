import Foundation
import Support
import Testing

struct ServerSettingsTests {
    private func serve(
        _ arguments: [String],
        environment: [String: String] = [:]
    ) async throws -> ProgramEnd {
        try await ProgramChild.run(
            TestProgram.server.path,
            ["serve"] + arguments,
            environment: environment
        )
    }

    @Test(arguments: [
        ("api:\n  listen: nowhere\n", "2:11: api.listen"),
        ("api:\n  lissen: 127.0.0.1:1\n", "2:3: there is no setting `api.lissen`"),
        ("# fine\ntrust_domain: a.test\ndatabase:\n  pool_size: 0\n", "4:14: database.pool_size"),
        ("leaves:\n  ttl: 25h\n", "2:8: leaves.ttl"),
        ("name: a\nname: b\n", "2:1"), ("name:\t a\n", "1:6"), ("api: [\n", "2:1"),
    ])
    func aWrongSettingIsNamedWithFileLineAndColumn(text: String, place: String) async throws {
        let scratch = try ScratchDirectory("config")
        let file = scratch.path + "/server.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let end = try await serve(["--config", file, "--check-config"])
        #expect(end.code == 2)
        #expect(end.errors.hasPrefix("\(file):\(place)"), "\(end.errors)")
        #expect(end.output == "")
    }

    @Test func aGoodFileIsSaidToBeGoodAndNothingIsStarted() async throws {
        let scratch = try ScratchDirectory("config")
        let file = scratch.path + "/server.yaml"
        let text = "data_directory: \(scratch.path)/data\n"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let end = try await serve(["--config", file, "--check-config"])
        #expect(end.code == 0, "\(end.errors)")
        #expect(end.output.contains("good"))
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/data"))
    }

    @Test(arguments: [["--config", "/nowhere.yaml"], ["--nonsense", "1"], ["--api-listen"]])
    func whatCannotBeReadIsAnErrorOfUsage(arguments: [String]) async throws {
        let end = try await serve(arguments + ["--check-config"])
        #expect(end.code == 2)
        #expect(end.errors.contains(arguments[0]) || end.errors.contains("/nowhere.yaml"))
    }

    @Test func everySettingIsAFlagAndAVariableAndTheFlagWins() async throws {
        let bare = try await serve(["--print-config"])
        #expect(bare.code == 0, "\(bare.errors)")
        let settings = bare.output.split(separator: "\n").compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":"), line.hasSuffix("# default") else {
                return nil
            }
            let value = line[line.index(colon, offsetBy: 2)...].components(separatedBy: "  # ")[0]
            return (String(line[..<colon]), value)
        }
        #expect(settings.count >= 20)
        var variables: [String: String] = [:]
        var flags: [String] = []
        for (key, printed) in settings {
            let words = key.replacingOccurrences(of: ".", with: "_")
            let value = printed.trimmingCharacters(in: CharacterSet(charactersIn: "\"[]"))
            let given = printed == "(not shown)" ? "" : value
            variables["TURNPIKE_" + words.uppercased()] = given
            flags += ["--" + words.replacingOccurrences(of: "_", with: "-"), given]
        }
        let byVariable = try await serve(["--print-config"], environment: variables)
        #expect(byVariable.code == 0, "\(byVariable.errors)")
        let byFlag = try await serve(["--print-config"] + flags, environment: variables)
        #expect(byFlag.code == 0, "\(byFlag.errors)")
        for (key, printed) in settings {
            let words = key.replacingOccurrences(of: ".", with: "_")
            let variable = "TURNPIKE_" + words.uppercased()
            let flag = "--" + words.replacingOccurrences(of: "_", with: "-")
            #expect(byVariable.output.contains("\(key): \(printed)  # \(variable)\n"), "\(key)")
            #expect((byFlag.output + "\n").contains("\(key): \(printed)  # \(flag)\n"), "\(key)")
        }
    }
}
