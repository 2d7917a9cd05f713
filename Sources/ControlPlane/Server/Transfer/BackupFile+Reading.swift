import Crypto
import Foundation
import Synchronization

extension BackupFile {
    /// How far a backup is believed.
    enum Proof: Equatable, Sendable {
        /// It is whole, and the cluster that it names made it.
        case proved
        /// It is whole; who made it was not looked at.
        case unchecked
        /// It is whole, but of a version that proved nothing.
        case none
    }

    /// Reads one whose checksum was found right, and its proof where a key was given.
    final class Reader: Sendable {
        private struct State {
            /// Bytes before the seal that were not read yet.
            var left: UInt64
            var seal: BackupSeal
            /// The pieces as they were when the whole was found right; empty until then.
            var checked: [SHA256Digest] = []
            /// The pieces that were read since the start.
            var read: [SHA256Digest] = []
        }

        let header: BackupHeader
        let proof: Proof
        private let path: String
        private let handle: FileHandle
        private let state: Mutex<State>
        /// The bytes at the end, as they were when they were found right.
        private let end: [UInt8]

        /// Reads all of it once before anything of it is believed.
        ///
        /// `key` gives the key for what the header says, or nil to look for damage only.
        init(
            _ path: String,
            progress: (Int) -> Void = { _ in },
            key: (BackupHeader) throws(StartFailure) -> SecretBytes? = { _ in nil }
        ) throws(StartFailure) {
            self.path = path
            let size: UInt64
            do {
                handle = try FileHandle(forReadingFrom: URL(filePath: path))
                size = try handle.seekToEnd()
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            let head = try Self.readHead(handle, path)
            header = head.header
            let isProvable = head.isProvable
            let secret = isProvable ? try key(head.header) : nil
            proof = secret != nil ? .proved : isProvable ? .unchecked : .none
            let sealCount = UInt64(SHA256Digest.byteCount * (isProvable ? 2 : 1))
            let start = UInt64(head.bytes.count)
            guard size >= start + sealCount else { throw Self.damaged(path) }
            var seal = BackupSeal(key: secret)
            seal.update(head.bytes)
            state = Mutex(State(left: size - sealCount - start, seal: seal))
            do {
                try handle.seek(toOffset: size - sealCount)
                end = Array(try handle.read(upToCount: Int(sealCount)) ?? Data())
                try handle.seek(toOffset: start)
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            var count = head.bytes.count
            while let piece = try next() {
                count += piece.count
                progress(count)
            }
            state.withLock { state in
                state = State(left: size - sealCount - start, seal: seal, checked: state.read)
            }
            do {
                try handle.seek(toOffset: start)
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
        }

        private static func damaged(_ path: String) -> StartFailure {
            .work("\(path): the backup is damaged or cut off; nothing of it was used")
        }

        private static func readHead(
            _ handle: FileHandle,
            _ path: String
        ) throws(StartFailure) -> (header: BackupHeader, bytes: [UInt8], isProvable: Bool) {
            let head: [UInt8]
            do {
                try handle.seek(toOffset: 0)
                let limit = BackupHeader.magic.utf8.count + BackupHeader.byteCountMax
                head = Array(try handle.read(upToCount: limit) ?? Data())
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            let magic = Array(BackupHeader.magic.utf8)
            let isProvable = head.starts(with: magic)
            guard isProvable || head.starts(with: Array(BackupHeader.unprovenMagic.utf8)) else {
                throw .work("\(path): this is no backup")
            }
            let rest = head.dropFirst(magic.count)
            guard let end = rest.firstIndex(of: 10), let header = BackupHeader(Array(rest[..<end])),
                isProvable == !header.rootKeys.isEmpty
            else { throw damaged(path) }
            return (header, Array(head[...end]), isProvable)
        }

        /// The next piece of the dump; nil at its end.
        ///
        /// A piece is given only if it is still what it was when the whole was checked: nothing of
        /// what somebody changes meanwhile is used.
        func next() throws(StartFailure) -> [UInt8]? {
            let count = Int(min(state.withLock { $0.left }, UInt64(BackupFile.pieceByteCount)))
            let piece: [UInt8]
            do {
                piece = count > 0 ? Array(try handle.read(upToCount: count) ?? Data()) : []
            } catch {
                throw .work("\(path): \(error.localizedDescription)")
            }
            guard piece.count == count else { throw Self.damaged(path) }
            let (isKnown, found) = state.withLock { state -> (Bool, [UInt8]?) in
                guard state.left > 0 || count == 0 else { return (true, nil) }
                state.seal.update(piece)
                state.left -= UInt64(count)
                let isKnown = count == 0 || Self.note(piece, in: &state)
                var seal = state.seal
                return (isKnown, state.left == 0 ? seal.finalize() : nil)
            }
            guard isKnown else {
                throw .work(
                    "\(path): the backup was changed after it was checked; what was restored before"
                        + " that must be thrown away"
                )
            }
            if let found { try demand(found) }
            return piece.isEmpty ? nil : piece
        }

        /// Whether a piece is what it was when the whole was checked, or is being checked now.
        private static func note(_ piece: [UInt8], in state: inout State) -> Bool {
            let digest = SHA256.digest(of: piece)
            let index = state.read.count
            state.read.append(digest)
            guard !state.checked.isEmpty else { return true }
            return state.checked.indices.contains(index) && state.checked[index] == digest
        }

        private func demand(_ found: [UInt8]) throws(StartFailure) {
            let sum = { (bytes: [UInt8]) in Array(bytes.prefix(SHA256Digest.byteCount)) }
            guard constantTimeEquals(sum(end), sum(found)) else { throw Self.damaged(path) }
            guard proof != .proved || constantTimeEquals(end, found) else {
                throw .work(
                    "\(path): the backup was not made by the cluster that it names, or was changed"
                        + " since; nothing of it was used"
                )
            }
        }
    }
}
