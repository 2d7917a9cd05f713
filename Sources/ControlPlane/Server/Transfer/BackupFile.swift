import Crypto
import Foundation
import Reactor
import Synchronization

/// A backup on disk: the magic, the header's line, what `pg_dump` wrote, and 32 bytes of SHA-256
/// over all of it.
enum BackupFile {
    private static let pieceByteCount = 256 << 10

    /// Writes one: under another name until it is whole, mode 0600, synced.
    final class Output: Sendable {
        private struct State {
            var hash = SHA256()
            var byteCount = 0
        }

        private let path: String
        private let unfinished: String
        private let handle: FileHandle
        private let state = Mutex(State())

        init(_ path: String) throws(StartFailure) {
            self.path = path
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
                state.hash.update(bytes)
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

        /// Adds the checksum and gives the file its name; gives its size.
        func finish() throws(StartFailure) -> Int {
            let (digest, count) = state.withLock { ($0.hash.finalize(), $0.byteCount) }
            try put(digest.bytes)
            do {
                try handle.synchronize()
                try handle.close()
                try FileSystem.rename(unfinished, to: path)
                try FileSystem.syncDirectory(FileSystem.parent(of: path))
            } catch {
                throw .work("\(path): \(error)")
            }
            return count + SHA256Digest.byteCount
        }

        /// Leaves nothing behind.
        func abandon() {
            try? handle.close()
            _ = try? FileSystem.remove(unfinished)
        }
    }

    /// Reads one whose checksum was found right.
    final class Reader: Sendable {
        let header: BackupHeader
        private let handle: FileHandle
        /// Bytes before the checksum that were not read yet.
        private let left: Mutex<UInt64>

        /// Reads all of it once before anything of it is believed.
        init(_ path: String, progress: (Int) -> Void = { _ in }) throws(StartFailure) {
            let size: UInt64
            do {
                handle = try FileHandle(forReadingFrom: URL(filePath: path))
                size = try handle.seekToEnd()
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            let digestCount = UInt64(SHA256Digest.byteCount)
            let start = try Self.readHead(handle, path)
            header = start.header
            guard size >= start.end + digestCount else { throw Self.damaged(path) }
            left = Mutex(size - digestCount)
            try checkSum(path, progress)
            do {
                try handle.seek(toOffset: start.end)
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            left.withLock { $0 = size - digestCount - start.end }
        }

        private static func damaged(_ path: String) -> StartFailure {
            .work("\(path): the backup is damaged or cut off; nothing of it was used")
        }

        private static func readHead(
            _ handle: FileHandle,
            _ path: String
        ) throws(StartFailure) -> (header: BackupHeader, end: UInt64) {
            let head: [UInt8]
            do {
                try handle.seek(toOffset: 0)
                let limit = BackupHeader.magic.utf8.count + BackupHeader.byteCountMax
                head = Array(try handle.read(upToCount: limit) ?? Data())
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            let magic = Array(BackupHeader.magic.utf8)
            guard head.starts(with: magic) else { throw .work("\(path): this is no backup") }
            let rest = head.dropFirst(magic.count)
            guard let end = rest.firstIndex(of: 10), let header = BackupHeader(Array(rest[..<end]))
            else { throw damaged(path) }
            return (header, UInt64(end + 1))
        }

        private func checkSum(
            _ path: String,
            _ progress: (Int) -> Void
        ) throws(StartFailure) {
            var state = SHA256()
            var stored: [UInt8] = []
            do {
                try handle.seek(toOffset: 0)
                var count = 0
                while let piece = next() {
                    state.update(piece)
                    count += piece.count
                    progress(count)
                }
                stored = Array(try handle.read(upToCount: SHA256Digest.byteCount) ?? Data())
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            guard left.withLock({ $0 == 0 }), stored == state.finalize().bytes else {
                throw Self.damaged(path)
            }
        }

        /// The next piece of the dump; nil at its end.
        func next() -> [UInt8]? {
            let count = Int(min(left.withLock { $0 }, UInt64(BackupFile.pieceByteCount)))
            guard count > 0, let data = try? handle.read(upToCount: count), !data.isEmpty
            else { return nil }
            left.withLock { $0 -= UInt64(data.count) }
            return Array(data)
        }
    }
}
