extension Reactor: SerialExecutor, TaskExecutor {
    /// Takes a Swift job: a plain append on the own thread, a letter from any other.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent { jobs.append(job) } else { deliverMail(.job(job)) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        unsafe UnownedTaskExecutor(ordinary: self)
    }

    package func checkIsolated() {
        preconditionOnReactor()
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }
}

/// An actor that lives on a reactor: its methods run on the reactor's thread, without a lock or a hop
/// for callers that are there already.
///
/// `actor Store: ReactorBound { nonisolated let reactor: Reactor … }` is all that is needed.
package protocol ReactorBound: Actor {
    nonisolated var reactor: Reactor { get }
}

extension ReactorBound {
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe reactor.asUnownedSerialExecutor()
    }
}
