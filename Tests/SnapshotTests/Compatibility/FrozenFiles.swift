import Crypto
import Foundation
import Mesh
import Snapshot
import Support
import Wire

/// The files under `Tests/Frozen/<version>`, which that version itself has written.
///
/// They never change: agents of that version are in the field, and what they keep on disk, send
/// and understand is this. A new version adds a folder of its own.
struct FrozenFiles {
    let version: String
    let folder: URL

    init(version: String) {
        self.version = version
        folder = Repository.frozen(version)
    }

    func bytes(_ name: String) -> [UInt8]? {
        (try? Data(contentsOf: folder.appending(path: name))).map(Array.init)
    }

    func lines(_ name: String) throws -> [String] {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    /// The frames of `frames.txt`, each line a kind and a payload.
    func frames() throws -> [(kind: FrameKind, bytes: [UInt8])] {
        try lines("frames.txt").map { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2,
                let kind = FrameKind.allCases.first(where: { "\($0)" == parts[0] })
            else { throw FrozenFault.noFrame(line) }
            let payload = Array(parts[1].utf8)
            let length = withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0) }
            return (kind, length + [kind.rawValue] + payload)
        }
    }

    enum FrozenFault: Error { case noFrame(String) }
}
