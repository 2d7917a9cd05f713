import Foundation
import Observability
import Reactor
import Synchronization

/// Asks the process to end: once gently, twice at once.
final class StopRequest: Sendable {
    private struct State {
        var isAsked = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// False when it was asked before.
    func ask() -> Bool {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
            if state.isAsked { return nil }
            state.isAsked = true
            defer { state.waiting = [] }
            return state.waiting
        }
        guard let waiting else { return false }
        for continuation in waiting { continuation.resume() }
        return true
    }

    /// Returns once the process was asked to end.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isAsked = state.withLock { state in
                if !state.isAsked { state.waiting.append(continuation) }
                return state.isAsked
            }
            if isAsked { continuation.resume() }
        }
    }
}

/// Runs one command on the main thread's reactor, with signals and limits in order.
enum ServerProcess {
    typealias Work =
        @Sendable (StopRequest, Reactor) async throws(StartFailure) -> Void

    static func run(_ logger: Logger, _ work: @escaping Work) throws(StartFailure) {
        let reactor: Reactor
        let stop = StopRequest()
        let signals: SignalSource
        do throws(SystemError) {
            reactor = try Reactor()
            signals = try SignalSource([.terminate, .interrupt], on: reactor) { _, _ in
                if stop.ask() { return }
                logger.warning("a second signal: ending at once")
                exit(1)
            }
        } catch {
            throw .work("cannot start: \(error)")
        }
        do throws(SystemError) {
            _ = try ProcessLimits.raiseDescriptorLimit()
        } catch {
            logger.warning("the descriptor limit stays low", ["problem": .describing(error)])
        }
        let outcome: Result<Void, StartFailure> = reactor.runUntilFinished {
            do throws(StartFailure) {
                try await work(stop, reactor)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        signals.close()
        try outcome.get()
    }

    /// Descriptors that this process may have open; each port takes a share of them, so that whoever
    /// fills one leaves the others and the database theirs.
    static var descriptorLimit: Int {
        Int(clamping: (try? ProcessLimits.raiseDescriptorLimit()) ?? 1_024)
    }

    /// Tells the service manager, if there is one.
    static func notify(_ notification: ServiceNotification) {
        guard let address = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"] else { return }
        try? notification.send(to: address)
    }
}
