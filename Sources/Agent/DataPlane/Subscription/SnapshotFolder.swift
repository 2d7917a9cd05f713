package import Crypto
package import Mesh
package import Reactor
package import Snapshot
package import Wire

/// The snapshot on disk: written so that a crash leaves the old or the new one, read back with
/// the same eyes as what comes from a server.
package struct SnapshotFolder: Sendable {
    private let folder: AgentFolder

    package init(_ folder: AgentFolder) {
        self.folder = folder
    }

    /// Where a file of the snapshot lies; the trust document belongs to the agent itself.
    func path(of name: String) -> String {
        name == SnapshotFiles.trustName ? folder.trustPath : "\(folder.snapshotPath)/\(name)"
    }

    /// Brings a snapshot to disk; when it returns, a power cut no longer matters.
    ///
    /// What cannot be removed afterwards is removed at the next start.
    package func persist(_ snapshot: StoredSnapshot) throws(FileError) {
        for step in SnapshotFiles.steps(for: snapshot) {
            switch step {
            case .write(let name, let bytes):
                try FileSystem.replace(path(of: name), with: bytes)
            case .remove(let name):
                _ = try? FileSystem.remove(path(of: name))
            }
        }
    }

    /// Brings a trust document to disk.
    package func persist(_ trust: TrustAnchor) throws(FileError) {
        try FileSystem.replace(folder.trustPath, with: trust.envelope.encoded)
    }

    /// What can be enforced at once; whatever is not in order counts as absent and is reported,
    /// one sentence each.
    package func restore(
        agent: AgentName,
        trustDomain: TrustDomain,
        now: Timestamp
    ) -> (restoration: SnapshotFiles.Restoration, faults: [String]) {
        var problems: [String] = []
        let restored = SnapshotFiles.restore(agent: agent, trustDomain: trustDomain, now: now) {
            name in
            do throws(FileError) {
                return try AgentFolder.readIfPresent(
                    path(of: name),
                    byteCountMax: EncodedSection.byteCountMax
                )
            } catch {
                problems.append("\(error)")
                return nil
            }
        }
        return (restored, problems + restored.faults)
    }

    /// Removes sections that the snapshot does not name; what cannot be removed stays.
    package func collect(keeping named: Set<SHA256Digest>) {
        let kept = Set(named.map(SnapshotFiles.sectionName))
        guard let names = try? FileSystem.list(folder.snapshotPath) else { return }
        for name in names where name.hasPrefix("section-") && !kept.contains(name) {
            _ = try? FileSystem.remove(path(of: name))
        }
    }
}
