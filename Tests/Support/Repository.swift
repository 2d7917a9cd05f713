package import Foundation

/// The checked-out repository that the tests were built from.
package enum Repository {
    /// Its top folder.
    package static let top: URL = {
        var folder = URL(filePath: #filePath)
        while folder.lastPathComponent != "Tests" { folder.deleteLastPathComponent() }
        return folder.deletingLastPathComponent()
    }()

    /// What an earlier version has written, under `Tests/Frozen/<version>`; it never changes.
    package static func frozen(_ version: String) -> URL {
        top.appending(path: "Tests/Frozen/\(version)")
    }
}
