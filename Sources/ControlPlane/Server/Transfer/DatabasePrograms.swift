import Foundation
import Observability
import Postgres
import Reactor
import Synchronization

/// `pg_dump` and `pg_restore` of one installation, with what they write passed through this process.
///
/// Passwords travel in the environment of the child only. Everything blocks on threads of its own,
/// so that the reactor goes on running the database that is copied.
struct DatabasePrograms: Sendable {
    /// Nil for the ones on PATH.
    let directory: String?

    private static let pieceByteCount = 256 << 10
    /// What is shown of the complaints of a program.
    private static let complaintByteCountMax = 2_000

    /// What every dump holds: our schemas, made by the role that owns them.
    private static let dumpArguments = [
        "--format=custom", "--schema=turnpike", "--schema=dashboard", "--role=turnpike_owner",
        "--no-owner", "--no-password", "--lock-wait-timeout=30000",
    ]
    private static let restoreArguments = [
        "--role=turnpike_owner", "--no-owner", "--no-password", "--exit-on-error",
        "--single-transaction",
    ]

    private func path(_ name: String) -> String { directory.map { "\($0)/\(name)" } ?? name }

    /// Dumps a database piece by piece.
    func dump(
        _ url: DatabaseURL,
        into sink: @escaping @Sendable ([UInt8]) throws(StartFailure) -> Void
    ) async throws(StartFailure) {
        let program = path("pg_dump")
        try await Self.onThread { () throws(StartFailure) in
            let child = try Child(program, Self.dumpArguments, url, isReading: true)
            do throws(StartFailure) {
                while let piece = child.nextPiece(Self.pieceByteCount) { try sink(piece) }
            } catch {
                child.kill()
                throw error
            }
            try child.finish()
        }
    }

    /// Fills an empty database from pieces of a dump; all of it or nothing.
    func restore(
        _ url: DatabaseURL,
        from source: @escaping @Sendable () throws(StartFailure) -> [UInt8]?
    ) async throws(StartFailure) {
        let program = path("pg_restore")
        try await Self.onThread { () throws(StartFailure) in
            let child = try Child(
                program,
                Self.restoreArguments + ["--dbname=\(url.database)"],
                url,
                isReading: false
            )
            do throws(StartFailure) {
                while let piece = try source() {
                    guard child.take(piece) else { break }
                }
            } catch {
                child.kill()
                throw error
            }
            try child.finish()
        }
    }

    private static func onThread(
        _ work: @escaping @Sendable () throws(StartFailure) -> Void
    ) async throws(StartFailure) {
        let outcome: Result<Void, StartFailure> = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                do throws(StartFailure) {
                    try work()
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        try outcome.get()
    }

    /// One run of a program, on the thread that made it.
    private final class Child {
        private let process = Process()
        private let name: String
        private let data = Pipe()
        private let complaints = Pipe()
        private let collected = Collected()
        private let isReading: Bool

        private final class Collected: Sendable {
            let text = Mutex([UInt8]())
            let ended = DispatchSemaphore(value: 0)
        }

        init(
            _ program: String,
            _ arguments: [String],
            _ url: DatabaseURL,
            isReading: Bool
        ) throws(StartFailure) {
            name = program
            self.isReading = isReading
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [program] + arguments
            process.environment =
                url.clientEnvironment.merging(["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]) {
                    own,
                    _ in own
                }
            process.currentDirectoryURL = URL(filePath: "/")
            process.standardInput = isReading ? FileHandle.nullDevice : data
            process.standardOutput = isReading ? data : FileHandle.nullDevice
            process.standardError = complaints
            do {
                try process.run()
            } catch {
                throw .work("\(program) could not be started: \(error.localizedDescription)")
            }
            let (handle, collected) = (complaints.fileHandleForReading, collected)
            Thread.detachNewThread {
                while true {
                    let part = handle.availableData
                    if part.isEmpty { break }
                    collected.text.withLock { text in
                        text = Array((text + part).suffix(DatabasePrograms.complaintByteCountMax))
                    }
                }
                collected.ended.signal()
            }
        }

        func nextPiece(_ count: Int) -> [UInt8]? {
            guard let piece = try? data.fileHandleForReading.read(upToCount: count), !piece.isEmpty
            else { return nil }
            return Array(piece)
        }

        /// False once the program reads no more.
        func take(_ piece: [UInt8]) -> Bool {
            (try? data.fileHandleForWriting.write(contentsOf: Data(piece))) != nil
        }

        func kill() {
            process.terminate()
            try? data.fileHandleForWriting.close()
            process.waitUntilExit()
        }

        func finish() throws(StartFailure) {
            if !isReading { try? data.fileHandleForWriting.close() }
            process.waitUntilExit()
            collected.ended.wait()
            guard process.terminationReason == .exit, process.terminationStatus == 0 else {
                let text = String(decoding: collected.text.withLock { $0 }, as: UTF8.self)
                throw .work(
                    "\(name) failed: \(text.trimmingCharacters(in: .whitespacesAndNewlines))"
                )
            }
        }
    }
}

/// Pieces on their way from one program to another; a bounded queue between two threads.
final class PieceChannel: Sendable {
    private static let piecesMax = 16

    private struct State {
        var pieces: [[UInt8]] = []
        var isFinished = false
        var failure: StartFailure?
    }

    private let condition = NSCondition()
    private let state = Mutex(State())

    /// Waits for room; false once the reader has given up.
    func put(_ piece: [UInt8]) throws(StartFailure) {
        condition.lock()
        defer { condition.unlock() }
        while state.withLock({ $0.pieces.count >= Self.piecesMax && $0.failure == nil }) {
            condition.wait()
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        state.withLock { $0.pieces.append(piece) }
        condition.broadcast()
    }

    /// Waits for a piece; nil at the end.
    func next() throws(StartFailure) -> [UInt8]? {
        condition.lock()
        defer { condition.unlock() }
        while state.withLock({ $0.pieces.isEmpty && !$0.isFinished && $0.failure == nil }) {
            condition.wait()
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        let piece = state.withLock { $0.pieces.isEmpty ? nil : $0.pieces.removeFirst() }
        condition.broadcast()
        return piece
    }

    /// No piece follows.
    func finish() { end { $0.isFinished = true } }

    /// Neither side goes on.
    func fail(_ failure: StartFailure) { end { $0.failure = $0.failure ?? failure } }

    private func end(_ change: (inout State) -> Void) {
        condition.lock()
        defer { condition.unlock() }
        state.withLock { change(&$0) }
        condition.broadcast()
    }
}

/// Says how far a long copy is, at most once a second, on standard error.
final class Progress: Sendable {
    private let verb: String
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ verb: String) { self.verb = verb }

    /// So many bytes so far.
    func report(_ byteCount: Int) {
        let isDue = last.withLock { last in
            let now = ContinuousClock.now
            guard last.map({ now - $0 >= .seconds(1) }) ?? true else { return false }
            last = now
            return true
        }
        if isDue { Console.complain("\(verb): \(byteCount >> 10) KiB") }
    }
}
