import Foundation
import Mesh
import Reactor
import Snapshot
import Support
import Synchronization
import Testing
import Wire

/// A snapshot that cannot be written changes nothing, is refused with its reason, and is taken as
/// soon as there is room.
@Suite(
    .timeLimit(.minutes(10)),
    .enabled(if: getuid() == 0, "needs root: a file system of its own takes a mount namespace")
)
struct FullDiskKeepsTheSnapshotTests {
    /// The data directory copied onto 1 MiB of memory that only the agent's namespace sees.
    private static let onSmallDisk = """
        mount --make-rprivate / && mount -t tmpfs -o size=1m,mode=700 tmpfs "$0" \
            && cp -a "$1/." "$0/" && shift && exec "$@"
        """

    private func startOnSmallDisk(
        _ host: StandHost,
        _ disk: ScratchDirectory
    ) async throws -> RunningAgent {
        try await RunningAgent(
            AgentChild(
                directory: disk.path,
                launcher: [
                    "/usr/bin/unshare", "-m", "/bin/sh", "-c", Self.onSmallDisk, disk.path,
                    host.directory.path,
                ]
            )
        )
    }

    /// Runs a command where the agent's disk is.
    private func beside(_ agent: RunningAgent, _ command: String) async throws {
        let end = try await ProgramChild.run(
            "/usr/bin/nsenter",
            ["-t", "\(agent.child.processIdentifier)", "-m", "/bin/sh", "-c", command]
        )
        try #require(end.code == 0, "\(command): \(end.errors)")
    }

    private func expectOld(_ host: StandHost, _ agent: RunningAgent) async throws {
        #expect(try await agent.revision() == 1)
        #expect(try await host.probe(agent) == .answered([1, 2, 3]))
    }

    @Test func aFullDiskKeepsTheOldSnapshotUntilThereIsRoom() async throws {
        let host = try await StandHost()
        let disk = try ScratchDirectory("disk")
        let agent = try await startOnSmallDisk(host, disk)
        try await host.publish(host.snapshot(.allow, revision: 1))
        try await host.waitForCertificates(of: agent)
        let filler = "/proc/\(agent.child.processIdentifier)/root\(disk.path)/filler"
        try fill(filler)
        let answer = try await host.publish(host.snapshot(.deny, revision: 2))
        #expect(answer.errors.first == "not_persisted")
        #expect(answer.appliedAt == nil)
        #expect(answer.mark?.revision == 1)
        try await expectOld(host, agent)
        let reason = try await agent.status()["last_refusal"]?["reason"]?.text ?? ""
        #expect(reason.contains("no space") || reason.contains("No space"), "\(reason)")
        // Nothing newer comes: the agent itself must notice that there is room.
        try FileManager.default.removeItem(atPath: filler)
        try await agent.wait(forRevision: 2)
        #expect(try await host.probe(agent) != .answered([1, 2, 3]))
        let isAcknowledged = try await host.stand.wait { state in
            state.acknowledgements.last?.mark?.revision == 2
                && state.acknowledgements.last?.errors == []
        }
        #expect(isAcknowledged)
        #expect(await agent.end() == 0)
        await host.stop()
    }

    /// Writes until there is no room for one more page.
    private func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let page = [UInt8](repeating: 7, count: 4_096)
        while write(descriptor, page, page.count) > 0 {}
        #expect(errno == ENOSPC)
    }

    @Test func aReadOnlyDirectoryKeepsTheOldSnapshotUntilItCanBeWritten() async throws {
        let host = try await StandHost()
        let disk = try ScratchDirectory("disk")
        let agent = try await startOnSmallDisk(host, disk)
        try await host.publish(host.snapshot(.allow, revision: 1))
        try await host.waitForCertificates(of: agent)
        let folder = disk.path + "/snapshot"
        try await beside(
            agent,
            "mount --bind \(folder) \(folder) && mount -o remount,bind,ro \(folder)"
        )
        let answer = try await host.publish(host.snapshot(.deny, revision: 2))
        #expect(answer.errors.first == "not_persisted")
        try await expectOld(host, agent)
        let reason = try await agent.status()["last_refusal"]?["reason"]?.text ?? ""
        #expect(reason.lowercased().contains("read-only"), "\(reason)")
        try await beside(agent, "umount \(folder)")
        try await agent.wait(forRevision: 2)
        #expect(await agent.end() == 0)
        await host.stop()
    }
}

/// Links where the snapshot's files should be are neither read nor written through.
@Suite(.timeLimit(.minutes(10))) struct LinkedSnapshotIsRefusedTests {
    @Test func aLinkIsNotFollowedAndIsReplacedByTheNextSnapshot() async throws {
        let host = try await StandHost()
        try host.directory.write(try host.snapshot(.allow, revision: 1))
        let away = try ScratchDirectory("away")
        let manifest = host.directory.path + "/snapshot/manifest.json"
        let target = away.path + "/manifest.json"
        try FileManager.default.moveItem(atPath: manifest, toPath: target)
        try FileManager.default.createSymbolicLink(
            atPath: manifest,
            withDestinationPath: target
        )
        let before = FileManager.default.contents(atPath: target)
        let agent = try await host.start()
        // What the link leads to is whole and signed, and yet not ours.
        let document = try await agent.status()
        #expect(document["revision"] == nil)
        let reason = document["last_refusal"]?["reason"]?.text ?? ""
        #expect(reason.contains("manifest.json"), "\(reason)")
        try await host.publish(host.snapshot(.allow, revision: 2))
        try await agent.wait(forRevision: 2)
        #expect(try FileSystem.status(manifest)?.kind == .regular)
        #expect(FileManager.default.contents(atPath: target) == before)
        #expect(await agent.end() == 0)
        await host.stop()
    }
}
