import Crypto
import Foundation
import Support
import Testing
import Wire

@testable import turnpike_server

struct BackupFileTests {
    private static let line =
        #"{"cluster_id":"c","created_at":"2026-11-30T00:00:00Z","epoch":3,"key_ids":["file:ab"],"#
        + #""postgres_major":15,"revision":42,"root_keys":[{"id":"ab","provider":"file","#
        + #""version":1,"wrapped":"AQID"}],"schema_version":8,"trust_domain":"example.test","#
        + #""trust_version":2,"version":"1"}"#

    private static let key = SecretBytes(copying: Array("the key of a cluster's backups".utf8))

    private func backup(_ pieces: [[UInt8]], in scratch: ScratchDirectory) throws -> String {
        let path = scratch.path + "/backup"
        let output = try BackupFile.Output(path, provedBy: Self.key)
        try output.write(Array(BackupHeader.magic.utf8) + Array(Self.line.utf8) + [10])
        for piece in pieces { try output.write(piece) }
        let count = try output.finish()
        #expect(try Data(contentsOf: URL(filePath: path)).count == count)
        return path
    }

    private func contents(_ reader: BackupFile.Reader) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try reader.next() { bytes += piece }
        return bytes
    }

    private func proved(_ path: String) throws -> BackupFile.Reader {
        try BackupFile.Reader(path, key: { _ in Self.key })
    }

    @Test func whatWasWrittenIsReadAndOnlyItsOwnerMay() throws {
        let scratch = try ScratchDirectory("backup")
        let pieces = [[UInt8](repeating: 7, count: 300_000), [10, 10], []]
        let path = try backup(pieces, in: scratch)
        let reader = try proved(path)
        #expect(reader.proof == .proved)
        #expect(try contents(reader) == pieces.flatMap { $0 })
        #expect(reader.header.revision == 42)
        #expect(reader.header.keyIDs == ["file:ab"])
        #expect(reader.header.rootKeys.count == 1)
        #expect(reader.header.encoded == Array(Self.line.utf8) + [10])
        #expect(reader.header.description.contains("opened by       file:ab"))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        // An older backup is not replaced.
        #expect(throws: StartFailure.self) { try BackupFile.Output(path, provedBy: Self.key) }
        let unchecked = try BackupFile.Reader(path)
        #expect(unchecked.proof == .unchecked)
        #expect(try contents(unchecked) == pieces.flatMap { $0 })
    }

    @Test func everyDamageIsFoundBeforeAnythingIsUsed() throws {
        let scratch = try ScratchDirectory("backup")
        let path = try backup([Array("the dump".utf8)], in: scratch)
        let whole = try Data(contentsOf: URL(filePath: path))
        for index in stride(from: 0, to: whole.count, by: 7) {
            var broken = whole
            broken[index] ^= 1
            try broken.write(to: URL(filePath: path))
            #expect(throws: StartFailure.self, "byte \(index)") { try proved(path) }
        }
        for count in stride(from: 0, to: whole.count, by: 11) {
            try whole.prefix(count).write(to: URL(filePath: path))
            #expect(throws: StartFailure.self, "\(count) bytes") { try proved(path) }
        }
        try (whole + [0]).write(to: URL(filePath: path))
        #expect(throws: StartFailure.self) { try proved(path) }
    }

    /// Whoever writes files, but holds no key, can make the checksum right and nothing more.
    @Test func aForgedBackupIsRefused() throws {
        let scratch = try ScratchDirectory("backup")
        let path = scratch.path + "/backup"
        let forger = SecretBytes(copying: [1, 2, 3])
        let output = try BackupFile.Output(path, provedBy: forger)
        try output.write(Array(BackupHeader.magic.utf8) + Array(Self.line.utf8) + [10])
        try output.write(Array("DROP TABLE everything".utf8))
        _ = try output.finish()
        #expect(try BackupFile.Reader(path).proof == .unchecked)
        let refused = #expect(throws: StartFailure.self) { try proved(path) }
        #expect(refused.map { "\($0)" }?.contains("was not made by the cluster") == true)
    }

    /// The file that is used is the one that was looked at.
    @Test(arguments: [0, 1, 2])
    func aPieceThatIsChangedAfterTheCheckIsNotGivenOut(changed: Int) throws {
        let scratch = try ScratchDirectory("backup")
        let path = try backup([[UInt8](repeating: 7, count: 600_000)], in: scratch)
        let reader = try proved(path)
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: UInt64(changed * BackupFile.pieceByteCount + 1_000))
        try file.write(contentsOf: Data([8]))
        try file.close()
        for _ in 0..<changed { #expect(try reader.next()?.allSatisfy { $0 == 7 } == true) }
        let error = #expect(throws: StartFailure.self) { try reader.next() }
        #expect(error.map { "\($0)" }?.contains("was changed after it was checked") == true)
    }

    @Test func aBackupOfBeforeProvesNothing() throws {
        let scratch = try ScratchDirectory("backup")
        let path = scratch.path + "/backup"
        let line = Self.line.replacing(
            #""root_keys":[{"id":"ab","provider":"file","version":1,"wrapped":"AQID"}],"#,
            with: ""
        )
        let body = Array((BackupHeader.unprovenMagic + line + "\nthe dump").utf8)
        try Data(body + SHA256.digest(of: body).bytes).write(to: URL(filePath: path))
        let old = try proved(path)
        #expect(old.proof == .none && old.header.rootKeys.isEmpty)
        #expect(try contents(old) == Array("the dump".utf8))
        #expect(old.proof.description.contains("nothing proves it"))
        // The new magic without wraps would be a backup that nobody can prove.
        let bare = Array((BackupHeader.magic + line + "\nthe dump").utf8)
        try Data(bare + SHA256.digest(of: bare).bytes + [UInt8](repeating: 0, count: 32))
            .write(to: URL(filePath: path))
        #expect(throws: StartFailure.self) { try proved(path) }
    }

    @Test func anAbandonedOneLeavesNothing() throws {
        let scratch = try ScratchDirectory("backup")
        let output = try BackupFile.Output(scratch.path + "/backup", provedBy: Self.key)
        try output.write([1])
        output.abandon()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    @Test(arguments: [
        [], ["--to"], ["--to", ""], ["--check", "a", "--to", "b"], ["--name", "b"],
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
        #expect(options.settings == ["--name", "d"] && !options.acceptsUnproved)
        #expect(try RestoreCommand.Options(["--from", "a", "--accept-unproved"]).acceptsUnproved)
        #expect(throws: StartFailure.self) { try RestoreCommand.Options(["--trust-key", "b"]) }
    }
}

struct BackupProofTests {
    @Test func everyKeyThatOpensTheDatabaseProvesABackup() throws {
        let words = [BackupFile.Proof.proved, .unchecked, .none].map(\.description)
        #expect(Set(words).count == 3)
        var seal = BackupSeal(key: nil)
        seal.update([1])
        #expect(seal.finalize() == SHA256.digest(of: [1]).bytes)
        let key = SecretBytes(copying: [9])
        var proved = BackupSeal(key: key)
        proved.update([1])
        #expect(
            proved.finalize()
                == SHA256.digest(of: [1]).bytes + HMACSHA256.tag(of: [1], key: key).bytes
        )
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
