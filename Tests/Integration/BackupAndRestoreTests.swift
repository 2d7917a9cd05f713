import Foundation
import HTTP
import Support
import Testing
import Wire

/// Backup, restore, move and upgrade of a real control plane, with a real agent that follows.
@Suite(.timeLimit(.minutes(10))) struct BackupAndRestoreTests {
    private func run(_ site: ServerSite, _ arguments: [String]) async throws -> ProgramEnd {
        try await ProgramChild.run(
            TestProgram.server.path,
            arguments,
            environment: ["PATH": "/usr/bin:/bin"],
            in: "/"
        )
    }

    private func put(_ name: String, _ server: ServerChild) async throws {
        let answer = try await server.send(.put, "/v1/services/default/\(name)", body: "{}")
        try #require(answer.status == 201, "\(answer.text)")
    }

    private func status(_ name: String, _ server: ServerChild) async throws -> Int {
        try await server.send(.get, "/v1/services/default/\(name)").status
    }

    @Test func agentsThatAreAheadFollowARestore() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        try await put("db", server)
        let home = try await server.enrol("host-1", placing: ["db"])
        let agent = try await RunningAgent(home.start())
        try await server.waitUntilEnforcing(["host-1"])
        let file = site.path + "/backup"
        let made = try await run(site, ["backup", "--to", file] + site.flags)
        try #require(made.code == 0, "\(made.errors)")
        #expect(made.output.contains("opened by       file:"), "\(made.output)")
        let shown = try await run(site, ["backup", "--check", file])
        let header = shown.output.split(separator: "\n").dropLast().joined(separator: "\n")
        #expect(shown.code == 0 && made.output.contains(header), "\(shown.output)")

        // What the backup knows nothing of.
        try await put("later", server)
        let placed = try await server.send(
            .put,
            "/v1/placements/default/later/host-1?wait=enforced&timeout=20s",
            body: "{}"
        )
        let ahead = try #require(placed.body["revision"]?.integer)
        try await agent.wait(forRevision: ahead)
        let before = try await agent.status()
        #expect(await server.stop() == 0)

        try await refusals(site, file)
        try FileManager.default.moveItem(
            atPath: site.dataDirectory + "/database",
            toPath: site.path + "/old"
        )
        let restored = try await run(site, ["restore", "--from", file] + site.flags)
        try #require(restored.code == 0, "\(restored.errors)")
        #expect(restored.output.contains("raises the epoch from 1 to "), "\(restored.output)")
        let second = try await site.start()
        #expect(try await status("db", second) == 200)
        #expect(try await status("later", second) == 404)
        let followed = try await agent.wait(for: "the higher epoch", within: .seconds(60)) {
            ($0["epoch"]?.integer ?? 0) > (before["epoch"]?.integer ?? 0)
        }
        #expect((followed["revision"]?.integer ?? ahead) < ahead)
        // The line goes on from here.
        let next = try await second.send(
            .put,
            "/v1/intentions/default/db/default/web?wait=enforced&timeout=20s",
            body: #"{"action":"allow"}"#
        )
        #expect(next.body["enforced"]?["complete"]?.bool == true, "\(next.text)")
        #expect(next.body["enforced"]?["acknowledged"]?[0]?.text == "host-1")
        #expect(await agent.end() == 0)
        #expect(await second.stop() == 0)
    }

    private func refusals(_ site: ServerSite, _ file: String) async throws {
        let full = try await run(site, ["restore", "--from", file] + site.flags)
        #expect(full.code == 1 && full.errors.contains("exists already"), "\(full.errors)")
        let elsewhere = ["--data-directory", site.path + "/elsewhere"]
        let noTrust = try await run(
            site,
            ["restore", "--from", file, "--trust-key", site.path + "/none"] + site.flags
                + elsewhere
        )
        #expect(noTrust.code == 1 && noTrust.errors.contains("the trust key"), "\(noTrust.errors)")
        let otherKey = site.path + "/keys/other"
        _ = FileManager.default.createFile(
            atPath: otherKey,
            contents: Data((1...32).map { UInt8($0) }),
            attributes: [.posixPermissions: 0o600]
        )
        let wrong = try await run(
            site,
            ["restore", "--from", file] + site.flags + elsewhere + ["--keys-kek-file", otherKey]
        )
        #expect(wrong.code == 1 && wrong.errors.contains("does not open this backup"))
        var broken = try Data(contentsOf: URL(filePath: file))
        broken[broken.count / 2] ^= 1
        let brokenFile = site.path + "/broken"
        try broken.write(to: URL(filePath: brokenFile))
        let damaged = try await run(
            site,
            ["restore", "--from", brokenFile] + site.flags + elsewhere
        )
        #expect(damaged.code == 1 && damaged.errors.contains("damaged"), "\(damaged.errors)")
        #expect(!FileManager.default.fileExists(atPath: site.path + "/elsewhere"))
    }

    @Test func anEmbeddedDatabaseMovesIntoAnExternalOne() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        try await put("kept", server)
        let url = try await ExternalDatabaseTests().makeDatabase("owner_moved")
        let running = try await run(site, ["database", "move", "--to", url] + site.flags)
        #expect(running.code == 1 && running.errors.contains("stop `turnpike-server serve` first"))
        #expect(await server.stop() == 0)
        let moved = try await run(site, ["database", "move", "--to", url] + site.flags)
        try #require(moved.code == 0, "\(moved.errors)")
        // The old one is not served by mistake, nor moved twice.
        let old = try site.launch()
        #expect(await old.wait() == 1)
        #expect(old.log.contains("was moved to postgresql://"), "\(old.log)")
        let again = try await run(site, ["database", "move", "--to", url] + site.flags)
        #expect(again.code == 1)
        let second = try await site.start(["--database-url", url])
        #expect(try await status("kept", second) == 200)
        try await put("more", second)
        #expect(await second.stop() == 0)
        // A full place takes no other one.
        let other = try ServerSite()
        let third = try await other.start()
        #expect(await third.stop() == 0)
        let refused = try await run(other, ["database", "move", "--to", url] + other.flags)
        #expect(refused.code == 1 && refused.errors.contains("holds a Turnpike already"))
    }

    @Test func anUpgradeRefusesWhatItMustAndRebuildsWhatItMay() async throws {
        let site = try ServerSite()
        let none = try await run(site, ["database", "upgrade"] + site.flags)
        #expect(none.code == 1 && none.errors.contains("no embedded database"), "\(none.errors)")
        let server = try await site.start()
        try await put("kept", server)
        let rebuild = ["database", "upgrade", "--rebuild"] + site.flags
        let running = try await run(site, rebuild)
        #expect(running.code == 1 && running.errors.contains("stop `turnpike-server serve` first"))
        #expect(await server.stop() == 0)

        let same = try await run(site, ["database", "upgrade"] + site.flags)
        #expect(same.code == 0 && same.output.contains("nothing to do"), "\(same.errors)")
        // A server that says it is older.
        let older = site.path + "/older"
        try FileManager.default.createDirectory(
            atPath: older,
            withIntermediateDirectories: false
        )
        for name in ["postgres", "initdb"] {
            _ = FileManager.default.createFile(
                atPath: "\(older)/\(name)",
                contents: Data("#!/bin/sh\necho 'postgres (PostgreSQL) 14.1'\n".utf8),
                attributes: [.posixPermissions: 0o755]
            )
        }
        let back = try await run(
            site,
            ["database", "upgrade", "--database-binaries", older] + site.flags
        )
        #expect(back.code == 1 && back.errors.contains("there is no way back"), "\(back.errors)")

        let rebuilt = try await run(site, rebuild)
        try #require(rebuilt.code == 0, "\(rebuilt.errors)")
        let data = try FileManager.default.contentsOfDirectory(atPath: site.dataDirectory)
        #expect(data.contains { $0.hasPrefix("database.") })
        #expect(!data.contains("database.new"))
        let second = try await site.start()
        #expect(try await status("kept", second) == 200)
        try await put("more", second)
        #expect(await second.stop() == 0)

        // Killed between the two names: it is completed, never founded anew.
        let manager = FileManager.default
        let (path, new) = (site.dataDirectory + "/database", site.dataDirectory + "/database.new")
        try manager.moveItem(atPath: path, toPath: new)
        _ = manager.createFile(atPath: new + "/complete", contents: Data())
        let torn = try site.launch()
        #expect(await torn.wait() == 1)
        #expect(torn.log.contains("was interrupted"), "\(torn.log)")
        let completed = try await run(site, ["database", "upgrade"] + site.flags)
        #expect(completed.code == 0, "\(completed.errors)")
        let third = try await site.start()
        #expect(try await status("more", third) == 200)
        #expect(await third.stop() == 0)
    }
}
