import Foundation
import Support

/// A wall clock that runs ahead of ours, for agents alone: libfaketime reads the offset from a file.
///
/// The monotonic clock stays as it is, so that timers fire when they should.
final class ShiftedClock: Sendable {
    private static let candidates = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/faketime/libfaketime.so.1",
    ]

    /// Nil where the package libfaketime is not installed (deploy/install-prerequisites does it).
    static var library: String? {
        candidates.first { FileManager.default.fileExists(atPath: $0) }
    }

    private let scratch: ScratchDirectory
    private let library: String

    init() throws {
        guard let library = Self.library else { throw WaitedInVain(what: "libfaketime") }
        self.library = library
        scratch = try ScratchDirectory("clock")
        try shift(by: 0)
    }

    private var file: String { scratch.path + "/offset" }

    /// Sets how many seconds the clock is ahead; running agents notice within a second.
    func shift(by seconds: Int64) throws {
        // As a whole: the library must never read half of a number.
        try "\(seconds < 0 ? "" : "+")\(seconds)\n".write(
            toFile: file,
            atomically: true,
            encoding: .utf8
        )
    }

    /// What an agent's environment needs.
    var environment: [String: String] {
        [
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": file,
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
    }

    /// Removes what the library leaves in shared memory when its process is killed.
    func sweep(after agent: RunningAgent) {
        let process = agent.child.processIdentifier
        for name in ["faketime_shm_\(process)", "sem.faketime_sem_\(process)"] {
            try? FileManager.default.removeItem(atPath: "/dev/shm/" + name)
        }
    }
}
