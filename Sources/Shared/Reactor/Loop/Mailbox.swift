import CLinux
import Synchronization

/// What other threads left for the reactor.
struct Mailbox {
    enum Letter {
        case work(@Sendable (Reactor) -> Void)
        case job(UnownedJob)
    }

    private var letters: [Letter] = []

    /// Adds a letter; true when the bell must be rung, which is once per collection.
    mutating func add(_ letter: Letter) -> Bool {
        letters.append(letter)
        return letters.count == 1
    }

    mutating func takeAll() -> [Letter] {
        var taken: [Letter] = []
        swap(&taken, &letters)
        return taken
    }
}

extension Reactor {
    /// Runs work on the reactor's thread in one of its next turns.
    ///
    /// From any thread, in order.
    ///
    /// Work that is posted after the loop ended waits for the next `run()`.
    package func post(_ work: @escaping @Sendable (Reactor) -> Void) {
        deliverMail(.work(work))
    }

    /// Runs work at once when called on the reactor's thread, else posts it.
    ///
    /// From any thread.
    package func execute(_ work: @escaping @Sendable (Reactor) -> Void) {
        if isCurrent { work(self) } else { post(work) }
    }

    func deliverMail(_ letter: Mailbox.Letter) {
        let mustRing = mailbox.withLock { $0.add(letter) }
        if mustRing { _ = clinux_eventfd_add(bell.number, 1) }
    }
}
