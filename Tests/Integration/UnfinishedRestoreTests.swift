import Foundation
import HTTP
import Postgres
import Support
import Testing
import Wire

/// A backup that nobody can have forged, and restores that do not come to their end.
@Suite(.timeLimit(.minutes(10))) struct UnfinishedRestoreTests {
    private func run(_ arguments: [String]) async throws -> ProgramEnd {
        try await ProgramChild.run(
            TestProgram.server.path,
            arguments,
            environment: ["PATH": "/usr/bin:/bin"],
            in: "/"
        )
    }

    /// A site that has a backup with one service in it; nothing runs any more.
    private func backedUp() async throws -> (site: ServerSite, file: String) {
        let site = try ServerSite()
        let server = try await site.start()
        let made = try await server.send(.put, "/v1/services/default/kept", body: "{}")
        try #require(made.status == 201)
        let file = site.path + "/backup"
        let end = try await run(["backup", "--to", file] + site.flags)
        try #require(end.code == 0, "\(end.errors)")
        try #require(await server.stop() == 0)
        return (site, file)
    }

    /// Which of our schemas a database has.
    private func schemas(_ name: String) async throws -> [String] {
        let cluster = try await TestCluster.shared
        let connection = try await PostgresConnection.connect(
            PostgresSettings(url: cluster.url(database: name)),
            on: TestDatabase.reactor
        )
        let names: String = try await connection.query(
            """
            SELECT coalesce(string_agg(nspname, ',' ORDER BY nspname), '') FROM pg_namespace
            WHERE nspname ~ '^(turnpike|dashboard)'
            """
        ).single().decode(at: 0)
        await connection.close()
        return names.split(separator: ",").map(String.init)
    }

    /// Whoever writes the file, but holds no key of the cluster, makes the checksum right at most.
    @Test func aForgedBackupIsRefusedBeforeAnythingIsMade() async throws {
        let (site, file) = try await backedUp()
        let proved = try await run(["backup", "--check", file] + site.flags)
        #expect(proved.output.contains("proved: this cluster made it"), "\(proved.errors)")
        let unchecked = try await run(["backup", "--check", file])
        #expect(unchecked.output.contains("not looked at"), "\(unchecked.output)")

        var bytes = try Data(contentsOf: URL(filePath: file))
        let proof = bytes.suffix(32)
        bytes.removeLast(64)
        bytes[bytes.count / 2] ^= 1
        let (body, sum) = (site.path + "/body", site.path + "/sum")
        try bytes.write(to: URL(filePath: body))
        let hashed = OpenSSLCommand.run(["dgst", "-sha256", "-binary", "-out", sum, body])
        try #require(hashed.status == 0, "\(hashed.output)")
        let forged = site.path + "/forged"
        try (bytes + Data(contentsOf: URL(filePath: sum)) + proof)
            .write(to: URL(filePath: forged))
        let elsewhere = ["--data-directory", site.path + "/elsewhere"]
        let restore = ["restore", "--from", forged] + site.flags + elsewhere
        let refused = try await run(restore)
        #expect(refused.code == 1 && refused.errors.contains("was not made by the cluster"))
        // Not even in so many words: it claims to be proved.
        let accepted = try await run(restore + ["--accept-unproved"])
        #expect(accepted.code == 1 && accepted.errors.contains("was not made by the cluster"))

        // A backup of before: nothing to prove, so it takes an explicit word.
        let old = site.path + "/old"
        try oldForm(of: file).write(to: URL(filePath: body))
        try #require(
            OpenSSLCommand.run(["dgst", "-sha256", "-binary", "-out", sum, body]).status == 0
        )
        try (Data(contentsOf: URL(filePath: body)) + Data(contentsOf: URL(filePath: sum)))
            .write(to: URL(filePath: old))
        let before = ["restore", "--from", old] + site.flags + elsewhere
        let risky = try await run(before)
        #expect(risky.code == 1 && risky.errors.contains("--accept-unproved"), "\(risky.errors)")
        #expect(!FileManager.default.fileExists(atPath: site.path + "/elsewhere"))
        let taken = try await run(before + ["--accept-unproved"])
        #expect(taken.code == 0, "\(taken.errors)")
    }

    /// A backup as earlier versions wrote it, without its checksum.
    private func oldForm(of file: String) throws -> Data {
        let bytes = try Data(contentsOf: URL(filePath: file)).dropLast(64)
        let lines = bytes.split(separator: 10, maxSplits: 2, omittingEmptySubsequences: false)
        let header = try JSON.parse(Array(lines[1]), source: "header")
        let entries = (header.entries ?? []).filter { $0.key != "root_keys" }
        return Data("turnpike-backup/1\n".utf8) + Data(JSON.canonical(Document(.map(entries))))
            + Data([10]) + lines[2]
    }

    @Test func aRestoreThatFailsLeavesNothingAndOneThatIsKilledIsRefused() async throws {
        let (site, file) = try await backedUp()
        let url = try await ExternalDatabaseTests().makeDatabase("owner_unfinished")
        let restore = ["restore", "--from", file] + site.flags + ["--database-url", url]
        // A key that the trust document does not name: it comes out last of all.
        let stranger = site.path + "/keys/stranger"
        try OperatorAuthority.makeKey("ED25519", stranger)
        let failed = try await run(restore + ["--trust-key", stranger])
        #expect(failed.code == 1 && failed.errors.contains("must sign the raise"))
        #expect(try await schemas("owner_unfinished") == [])

        let killed = try ProgramChild(
            TestProgram.server.path,
            restore,
            environment: ["PATH": "/usr/bin:/bin"]
        )
        let isFilling = try await eventually {
            try await schemas("owner_unfinished").contains("turnpike_unfinished")
        }
        killed.signal(SIGKILL)
        _ = await killed.wait()
        try #require(isFilling)
        #expect(try await schemas("owner_unfinished").contains("turnpike_unfinished"))
        let server = try site.launch(["--database-url", url])
        #expect(await server.wait() == 1)
        #expect(server.log.contains("has not come to its end"), "\(server.log)")
        let backup = try await run(
            ["backup", "--to", site.path + "/none"] + site.flags + ["--database-url", url]
        )
        #expect(backup.code == 1 && backup.errors.contains("has not come to its end"))

        // The same command begins anew; what was filled to its end is served.
        let again = try await run(restore)
        try #require(again.code == 0, "\(again.errors)")
        #expect(try await schemas("owner_unfinished") == ["dashboard", "turnpike"])
        let full = try await run(restore)
        #expect(full.code == 1 && full.errors.contains("holds a Turnpike already"))
        let second = try await site.start(["--database-url", url])
        #expect(try await second.send(.get, "/v1/services/default/kept").status == 200)
        #expect(await second.stop() == 0)
    }

    /// What an embedded restore could not finish goes, but only if this restore made it.
    @Test func anEmbeddedRestoreRemovesOnlyWhatItMade() async throws {
        let (site, file) = try await backedUp()
        let stranger = site.path + "/keys/stranger"
        try OperatorAuthority.makeKey("ED25519", stranger)
        let place = site.path + "/elsewhere"
        let failed = try await run(
            ["restore", "--from", file, "--trust-key", stranger] + site.flags
                + ["--data-directory", place]
        )
        #expect(failed.code == 1 && failed.errors.contains("must sign the raise"))
        #expect(!FileManager.default.fileExists(atPath: place + "/database"))
        // Binaries that are none: nothing was made, so nothing goes.
        let none = site.path + "/none"
        try FileManager.default.createDirectory(
            atPath: place + "/database/kept",
            withIntermediateDirectories: true
        )
        let full = try await run(
            ["restore", "--from", file] + site.flags
                + ["--data-directory", place, "--database-binaries", none]
        )
        #expect(full.code == 1)
        #expect(FileManager.default.fileExists(atPath: place + "/database/kept"))
    }
}
