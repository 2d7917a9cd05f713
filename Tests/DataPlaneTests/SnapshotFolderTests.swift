import Crypto
import DataPlane
import Foundation
import Mesh
import Reactor
import Snapshot
import Support
import Testing
import Wire

struct SnapshotFolderTests {
    private let mesh: TestMesh
    private let directory: AgentDirectory
    private let folder: SnapshotFolder
    private let service: ServiceName
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    init() throws {
        mesh = try TestMesh(now: now)
        directory = try AgentDirectory(mesh, agent: "host-1")
        folder = SnapshotFolder(AgentFolder(directory.path))
        service = try ServiceName("db")
    }

    private func restore() -> (restoration: SnapshotFiles.Restoration, faults: [String]) {
        folder.restore(agent: directory.agent, trustDomain: mesh.trustDomain, now: now)
    }

    private var sectionPath: String {
        get throws {
            let names = try FileSystem.list(directory.path + "/snapshot")
            let name = try #require(names.first { $0.hasPrefix("section-") })
            return directory.path + "/snapshot/" + name
        }
    }

    @Test func whatIsInOrderComesBack() throws {
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        let (restored, faults) = restore()
        #expect(restored.snapshot?.value.revision == 4)
        #expect(faults == [])
    }

    @Test func anExpiredSnapshotIsEnforcedAgain() throws {
        try directory.write(
            try mesh.hosting(
                service,
                on: directory.agent,
                issued: now - .seconds(7_200),
                expires: now - .seconds(3_600)
            )
        )
        #expect(restore().restoration.snapshot != nil)
    }

    /// What a disk, a person or an attacker may do to a file.
    enum Damage: String, CaseIterable, Sendable {
        case torn, flipped, missing, emptied, link, directory, tooLarge
    }

    private func damage(_ path: String, _ damage: Damage) throws {
        let bytes = try FileSystem.read(path, byteCountMax: 1 << 20)
        switch damage {
        case .torn: try FileSystem.replace(path, with: Array(bytes.prefix(bytes.count / 2)))
        case .flipped:
            var changed = bytes
            changed[bytes.count / 2] ^= 1
            try FileSystem.replace(path, with: changed)
        case .missing: try FileSystem.remove(path)
        case .emptied: try FileSystem.replace(path, with: [])
        case .link:
            try FileSystem.rename(path, to: path + ".real")
            try FileManager.default.createSymbolicLink(
                atPath: path,
                withDestinationPath: path + ".real"
            )
        case .directory:
            try FileSystem.remove(path)
            try FileSystem.makeDirectory(path)
        case .tooLarge:
            try FileSystem.replace(path, with: Array(repeating: 0x20, count: 9 << 20))
        }
    }

    @Test(arguments: Damage.allCases)
    func aDamagedSectionLosesTheSnapshotAndKeepsTheMark(_ kind: Damage) throws {
        let signed = try mesh.hosting(service, on: directory.agent, revision: 7)
        try directory.write(signed)
        try damage(try sectionPath, kind)
        let (restored, faults) = restore()
        #expect(restored.snapshot == nil)
        #expect(restored.mark == signed.snapshot.mark)
        #expect(restored.trust != nil)
        #expect(!faults.isEmpty)
    }

    @Test(arguments: Damage.allCases)
    func aDamagedManifestLosesTheSnapshotAndKeepsTheMark(_ kind: Damage) throws {
        let signed = try mesh.hosting(service, on: directory.agent, revision: 7)
        try directory.write(signed)
        try damage(directory.path + "/snapshot/" + SnapshotFiles.manifestName, kind)
        let (restored, faults) = restore()
        #expect(restored.snapshot == nil)
        #expect(restored.mark == signed.snapshot.mark)
        #expect(!faults.isEmpty)
    }

    @Test(arguments: Damage.allCases)
    func aDamagedTrustDocumentTrustsNobody(_ kind: Damage) throws {
        try directory.write(try mesh.hosting(service, on: directory.agent))
        try damage(directory.path + "/trust.json", kind)
        let (restored, _) = restore()
        #expect(restored.trust == nil)
        #expect(restored.snapshot == nil)
    }

    @Test func anOlderManifestUnderAHigherMarkIsRefused() throws {
        let old = try mesh.hosting(service, on: directory.agent, revision: 3)
        let new = try mesh.hosting(service, on: directory.agent, verdict: .deny, revision: 5)
        try directory.write(new)
        try directory.write(SnapshotFiles.manifestName, old.envelope)
        for (hash, bytes) in old.sections {
            try directory.write(SnapshotFiles.sectionName(hash), bytes)
        }
        let (restored, faults) = restore()
        #expect(restored.snapshot == nil)
        #expect(restored.mark?.revision == 5)
        #expect(!faults.isEmpty)
    }

    @Test func sectionsThatNothingNamesAreCollected() throws {
        let signed = try mesh.hosting(service, on: directory.agent)
        try directory.write(signed)
        let stray = SHA256.digest(of: [9])
        try directory.write(SnapshotFiles.sectionName(stray), [9])
        folder.collect(keeping: Set(signed.sections.keys))
        let names = try FileSystem.list(directory.path + "/snapshot")
        #expect(!names.contains(SnapshotFiles.sectionName(stray)))
        #expect(restore().restoration.snapshot != nil)
    }

    @Test func preparingRefusesADirectoryThatLetsOthersIn() throws {
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: directory.path + "/leaves"
        )
        #expect(throws: FileError.self) { try AgentFolder(directory.path).prepare() }
    }

    @Test func preparingRemovesWhatACutWriteLeftBehind() throws {
        try FileSystem.replace(directory.path + "/snapshot/.manifest.json.abc", with: [1])
        try AgentFolder(directory.path).prepare()
        let names = try FileSystem.list(directory.path + "/snapshot")
        #expect(names.allSatisfy { !$0.hasPrefix(".") })
    }
}
