import Foundation
import Support
import Testing

@testable import turnpike_server

struct BackupFileTests {
    private static let line =
        #"{"cluster_id":"c","created_at":"2026-11-30T00:00:00Z","epoch":3,"key_ids":["file:ab"],"#
        + #""postgres_major":15,"revision":42,"schema_version":8,"trust_domain":"example.test","#
        + #""trust_version":2,"version":"1"}"#

    private func backup(_ pieces: [[UInt8]], in scratch: ScratchDirectory) throws -> String {
        let path = scratch.path + "/backup"
        let output = try BackupFile.Output(path)
        try output.write(Array(BackupHeader.magic.utf8) + Array(Self.line.utf8) + [10])
        for piece in pieces { try output.write(piece) }
        let count = try output.finish()
        #expect(try Data(contentsOf: URL(filePath: path)).count == count)
        return path
    }

    private func contents(_ reader: BackupFile.Reader) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = reader.next() { bytes += piece }
        return bytes
    }

    @Test func whatWasWrittenIsReadAndOnlyItsOwnerMay() throws {
        let scratch = try ScratchDirectory("backup")
        let pieces = [[UInt8](repeating: 7, count: 300_000), [10, 10], []]
        let path = try backup(pieces, in: scratch)
        let reader = try BackupFile.Reader(path)
        #expect(contents(reader) == pieces.flatMap { $0 })
        #expect(reader.header.revision == 42)
        #expect(reader.header.keyIDs == ["file:ab"])
        #expect(reader.header.encoded == Array(Self.line.utf8) + [10])
        #expect(reader.header.description.contains("opened by       file:ab"))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        // An older backup is not replaced.
        #expect(throws: StartFailure.self) { try BackupFile.Output(path) }
    }

    @Test func everyDamageIsFoundBeforeAnythingIsUsed() throws {
        let scratch = try ScratchDirectory("backup")
        let path = try backup([Array("the dump".utf8)], in: scratch)
        let whole = try Data(contentsOf: URL(filePath: path))
        for index in stride(from: 0, to: whole.count, by: 7) {
            var broken = whole
            broken[index] ^= 1
            try broken.write(to: URL(filePath: path))
            #expect(throws: StartFailure.self, "byte \(index)") { try BackupFile.Reader(path) }
        }
        for count in stride(from: 0, to: whole.count, by: 11) {
            try whole.prefix(count).write(to: URL(filePath: path))
            #expect(throws: StartFailure.self, "\(count) bytes") { try BackupFile.Reader(path) }
        }
        try (whole + [0]).write(to: URL(filePath: path))
        #expect(throws: StartFailure.self) { try BackupFile.Reader(path) }
    }

    @Test func anAbandonedOneLeavesNothing() throws {
        let scratch = try ScratchDirectory("backup")
        let output = try BackupFile.Output(scratch.path + "/backup")
        try output.write([1])
        output.abandon()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    @Test(arguments: [
        [], ["--to"], ["--to", ""], ["--check", "a", "--to", "b"], ["--check", "a", "--name", "b"],
    ])
    func aBackupSaysWhatItNeeds(arguments: [String]) {
        #expect(throws: StartFailure.self) { try BackupCommand.Options(arguments) }
    }

    @Test func aRestoreTakesSeveralTrustKeys() throws {
        let options = try RestoreCommand.Options([
            "--from", "a", "--trust-key", "b", "--trust-key", "c", "--name", "d",
        ])
        #expect(options.source == "a")
        #expect(options.trustKeys == ["b", "c"])
        #expect(options.settings == ["--name", "d"])
        #expect(throws: StartFailure.self) { try RestoreCommand.Options(["--trust-key", "b"]) }
    }
}

struct PieceChannelTests {
    @Test func piecesComeInOrderAndAFailureReachesBothSides() async throws {
        let channel = PieceChannel()
        let reading = Task.detached { () -> Int in
            var sum = 0
            while let piece = try channel.next() { sum += piece.count }
            return sum
        }
        for _ in 0..<100 { try channel.put([1, 2]) }
        channel.finish()
        #expect(try await reading.value == 200)
        channel.fail(.work("over"))
        #expect(throws: StartFailure.self) { try channel.put([1]) }
        #expect(throws: StartFailure.self) { try channel.next() }
    }

    @Test func sumsAreShared() {
        let count = Counted()
        #expect(count.add(2) == 2)
        #expect(count.add(3) == 5)
    }
}
