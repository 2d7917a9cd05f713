import Crypto
import Foundation
import Reactor
import Synchronization

/// A backup on disk: the magic, the header's line, what `pg_dump` wrote, 32 bytes of SHA-256 over all
/// of it, and 32 bytes of HMAC-SHA-256 over the same.
///
/// The first finds damage without any key; the second shows that nobody else than the cluster made
/// it. Earlier versions wrote only the first.
enum BackupFile {
    static let pieceByteCount = 256 << 10

    /// Writes one: under another name until it is whole, mode 0600, synced.
    final class Output: Sendable {
        private struct State {
            var seal: BackupSeal
            var byteCount = 0
        }

        private let path: String
        private let unfinished: String
        private let handle: FileHandle
        private let state: Mutex<State>

        /// `key` is that of `BackupKey`.
        init(_ path: String, provedBy key: SecretBytes) throws(StartFailure) {
            self.path = path
            state = Mutex(State(seal: BackupSeal(key: key)))
            unfinished = path + ".unfinished"
            do {
                guard try FileSystem.status(path) == nil else {
                    throw StartFailure.usage("--to: \(path) exists already; name a new file")
                }
                _ = try FileSystem.remove(unfinished)
                try FileSystem.create(unfinished, with: [])
                handle = try FileHandle(forWritingTo: URL(filePath: unfinished))
            } catch let failure as StartFailure {
                throw failure
            } catch {
                throw .work("\(path): \(error)")
            }
        }

        /// Appends; gives how many bytes there are now.
        @discardableResult
        func write(_ bytes: [UInt8]) throws(StartFailure) -> Int {
            try put(bytes)
            return state.withLock { state in
                state.seal.update(bytes)
                state.byteCount += bytes.count
                return state.byteCount
            }
        }

        private func put(_ bytes: [UInt8]) throws(StartFailure) {
            do {
                try handle.write(contentsOf: Data(bytes))
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
        }

        /// Adds checksum and proof and gives the file its name; gives its size.
        func finish() throws(StartFailure) -> Int {
            let (end, count) = state.withLock { ($0.seal.finalize(), $0.byteCount) }
            try put(end)
            do {
                try handle.synchronize()
                try handle.close()
                try FileSystem.rename(unfinished, to: path)
                try FileSystem.syncDirectory(FileSystem.parent(of: path))
            } catch {
                throw .work("\(path): \(error)")
            }
            return count + end.count
        }

        /// Leaves nothing behind.
        func abandon() {
            try? handle.close()
            _ = try? FileSystem.remove(unfinished)
        }
    }
}
