import Control
import Foundation
import Mesh
import Snapshot
import Testing
import Wire

@testable import turnpike_server

@Suite struct SnapshotCommandTests {
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.path + "/turnpike-sign-\(UUID())"

        init() throws {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ text: String) throws -> String {
            try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
            return "\(path)/\(name)"
        }

        func mode(_ name: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
            return try #require(attributes[.posixPermissions] as? Int)
        }
    }

    private static let mesh = """
        kind: agent
        name: host-a
        ---
        kind: service
        name: web
        placements: ["host-a"]
        """

    private let folder: Folder
    private let file: String

    init() throws {
        folder = try Folder()
        file = try folder.write("mesh.yaml", Self.mesh)
    }

    private func sign(_ out: String, _ more: [String] = []) throws {
        try SnapshotCommand.perform(["sign", "-f", file, "--out", "\(folder.path)/\(out)"] + more)
    }

    private func trust(_ out: String) throws -> Data {
        try Data(contentsOf: URL(filePath: "\(folder.path)/\(out)/host-a/trust.json"))
    }

    @Test func everyFileOfADirectoryIsForItsOwnerOnly() throws {
        try sign("out")
        for name in ["", "/snapshot", "/leaves", "/evidence"] {
            #expect(try folder.mode("out/host-a\(name)") == 0o700)
        }
        let files = try #require(FileManager.default.enumerator(atPath: "\(folder.path)/out"))
        var count = 0
        for case let name as String in files {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(
                atPath: "\(folder.path)/out/\(name)",
                isDirectory: &isFolder
            )
            if isFolder.boolValue { continue }
            count += 1
            #expect(try folder.mode("out/\(name)") == 0o600, "\(name)")
        }
        // Trust document, key, certificate, enrolment, one leaf, manifest, mark, three sections.
        #expect(count == 10)
    }

    @Test func withoutAKeyDirectoryEachMeshIsAnother() throws {
        try sign("one")
        try sign("two")
        #expect(try trust("one") != trust("two"))
    }

    @Test func keptKeysSignForTheSameMesh() throws {
        let keys = ["--keys", "\(folder.path)/keys"]
        try sign("one", keys)
        try sign("two", keys + ["--revision", "2"])
        #expect(try trust("one") == trust("two"))
        #expect(try folder.mode("keys/root.key") == 0o600)
        #expect(throws: StartFailure.self) {
            try sign("three", keys + ["--trust-domain", "b.example"])
        }
        try FileManager.default.removeItem(atPath: "\(folder.path)/keys/snapshot.key")
        let failure = try #require(throws: StartFailure.self) { try sign("four", keys) }
        #expect(failure.description.contains("snapshot.key missing"))
    }

    @Test func keysThatOthersMayReadAreRefused() throws {
        let keys = ["--keys", "\(folder.path)/keys"]
        try sign("one", keys)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644],
            ofItemAtPath: "\(folder.path)/keys/root.key"
        )
        #expect(throws: StartFailure.self) { try sign("two", keys) }
    }

    @Test func keysOfTwoMeshesAreRefused() throws {
        try sign("one", ["--keys", "\(folder.path)/keys"])
        try sign("two", ["--keys", "\(folder.path)/others"])
        let path = "\(folder.path)/keys/snapshot.key"
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: "\(folder.path)/others/snapshot.key", toPath: path)
        let failure = try #require(throws: StartFailure.self) {
            try sign("three", ["--keys", "\(folder.path)/keys"])
        }
        #expect(failure.description.contains("not of one mesh"))
        #expect(OfflineKeys.unfit.contains("not of one mesh"))
    }

    @Test func aDirectoryThatExistsIsNotTouched() throws {
        try sign("out")
        let before = try trust("out")
        #expect(throws: StartFailure.self) { try sign("out") }
        #expect(try trust("out") == before)
    }

    @Test func aWrongFileIsToldByLineAndLeavesNothingBehind() throws {
        let wrong = try folder.write("wrong.yaml", Self.mesh + "\n---\nkind: nothing\n")
        let failure = try #require(throws: StartFailure.self) {
            try SnapshotCommand.perform(
                ["sign", "-f", wrong, "--out", "\(folder.path)/out", "--keys", "\(folder.path)/k"]
            )
        }
        #expect(failure.description.hasPrefix("\(wrong):8:7: kind: "))
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/out"))
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/k"))
    }

    @Test(arguments: [
        ["sign"], ["sign", "-f"], ["sign", "-f", "x"], ["sing", "-f", "x", "--out", "y"],
        ["sign", "-f", "x", "--out", "y", "--fly", "z"],
        ["sign", "-f", "x", "--out", "y", "--revision", "0"],
        ["sign", "-f", "x", "--out", "y", "--trust-domain", "UP"],
        ["sign", "-f", "/nowhere/mesh.yaml", "--out", "y"],
    ])
    func aWrongCommandLineIsAUsageError(_ arguments: [String]) throws {
        let failure = try #require(throws: StartFailure.self) {
            try SnapshotCommand.perform(arguments)
        }
        #expect(failure.exitCode == 2)
    }
}
