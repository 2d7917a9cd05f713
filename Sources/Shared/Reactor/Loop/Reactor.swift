import CLinux
import Synchronization

/// One epoll loop on one thread: descriptors, timers, posted work and Swift jobs in fair turns.
///
/// Everything except `post`, `execute`, `stop`, `enqueue` and what is marked so belongs to the thread
/// that runs the loop (before `run()`: to the thread that made the reactor) and traps elsewhere.
/// A turn is: wait, deliver a batch of events, fire due timers, run posted work and jobs, revisit.
///
/// Sendable because the mailbox is a `Mutex`, the identities are atomics, and all other state is
/// touched only by the owning thread, which `assertOnReactor()` enforces.
@safe
package final class Reactor: @unchecked Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Events taken per wait: the bound of one batch.
    static let eventsPerTurnMax = 256
    /// Timers fired per turn; the others come in the next turn.
    static let timersPerTurnMax = 1_024
    /// How often the job queue is emptied per turn before descriptors get their chance again.
    static let jobRoundsPerTurnMax = 8
    /// How long a turn delivers events, and how long all of it may last until no more jobs are begun;
    /// what is left comes first in the next turn, after a look at the descriptors.
    static let (eventsSlice, turnSlice) = (Duration.milliseconds(3), Duration.milliseconds(6))
    /// Of those who give way so many go on in one turn, however much others have to do.
    static let patientsPerTurn = 4
    /// With so many who give way no further connection is taken.
    static let patientsMax = 256
    /// Events, timers or jobs between two looks at the clock.
    private static let itemsPerLook = 4
    /// Bytes of one scratch buffer: 64 KiB of plaintext with room for its TLS records, and more.
    package static let scratchByteCount = 80 * 1_024
    /// How deep `withScratch` may nest.
    package static let scratchDepthMax = 8

    let epoll: Descriptor
    let bell: Descriptor
    let mailbox = Mutex(Mailbox())
    private let owner: Atomic<UInt>
    private let longestTurnNanoseconds = Atomic<Int64>(0)

    /// The time as read once per turn; for deadlines, not for measuring.
    package private(set) var now: Instant = .now

    var registrations = RegistrationTable()
    var timers = TimerQueue()
    var revisits: [DescriptorToken] = []
    var deferred: [(Reactor) -> Void] = []
    var jobs: [UnownedJob] = []
    private var runningJobs: [UnownedJob] = []
    private var runningJobsDone = 0
    private var runningRevisits: [DescriptorToken] = []
    var mailWaits = false
    private var stopRequested = false
    private let events: UnsafeMutablePointer<clinux_event>
    /// Who gives way: those who have begun already, and the others.
    var patients = (
        begun: PatientQueue<CheckedContinuation<Void, Never>>(),
        fresh: PatientQueue<CheckedContinuation<Void, Never>>()
    )
    /// Events at the front of `events` that the last turn had no time for.
    private var eventsLeft = 0
    var scratches = ScratchBuffers()
    var ownerLookup = SocketOwnerLookup()

    /// A reactor that belongs to the calling thread until another one calls `run()`.
    package convenience init() throws(SystemError) {
        try self.init(owner: clinux_thread_identity())
    }

    /// A reactor that belongs to nobody yet (0) or to the given thread.
    init(owner: UInt) throws(SystemError) {
        epoll = Descriptor(owning: try SystemError.check(clinux_epoll_create(), .epoll))
        bell = Descriptor(owning: try SystemError.check(clinux_eventfd(), .eventfd))
        self.owner = Atomic(owner)
        unsafe events = .allocate(capacity: Self.eventsPerTurnMax)
        // Edge-triggered and never read: each ring is one edge, and the counter cannot overflow.
        let added = clinux_epoll_add(
            epoll.number,
            bell.number,
            DescriptorToken.wake.rawValue,
            CLINUX_EVENT_IN | CLINUX_EVENT_EDGE
        )
        try SystemError.check(added, .epoll)
    }

    deinit {
        unsafe events.deallocate()
    }
}

extension Reactor {
    /// Whether the calling thread owns this reactor.
    ///
    /// From any thread.
    package var isCurrent: Bool { owner.load(ordering: .relaxed) == clinux_thread_identity() }

    /// The longest that this reactor has been at work without looking at its descriptors.
    ///
    /// From any thread.
    package var longestTurn: Duration {
        .nanoseconds(longestTurnNanoseconds.load(ordering: .relaxed))
    }

    /// Traps in debug builds when called off the reactor's thread: a bug of ours.
    @inline(__always)
    package func assertOnReactor() {
        assert(isCurrent, "off the reactor's thread")
    }

    /// Traps in every build when called off the reactor's thread: a bug of ours.
    package func preconditionOnReactor() {
        precondition(isCurrent, "off the reactor's thread")
    }
}

extension Reactor {
    /// Runs the loop on the calling thread until `stop()`; the reactor belongs to it from then on.
    package func run() {
        owner.store(clinux_thread_identity(), ordering: .sequentiallyConsistent)
        // What came before the loop may have rung before anybody listened.
        mailWaits = true
        while !stopRequested { turn() }
        stopRequested = false
    }

    /// Runs the loop until an async operation is finished, and returns what it returned.
    ///
    /// The operation and its child tasks run on this reactor: the shape of a program's `main`.
    package func runUntilFinished<Value: Sendable>(
        _ operation: @escaping @Sendable () async -> Value
    ) -> Value {
        let outcome = Outcome<Value>()
        Task(executorPreference: self) {
            let value = await operation()
            outcome.value.withLock { $0 = value }
            self.stop()
        }
        while true {
            run()
            if let value = outcome.value.withLock({ $0 }) { return value }
        }
    }

    /// Ends `run()` after the current turn.
    ///
    /// From any thread.
    package func stop() {
        execute { $0.stopRequested = true }
    }

    private func turn() {
        let taken = unsafe clinux_epoll_wait(
            epoll.number,
            events + eventsLeft,
            Int32(Self.eventsPerTurnMax - eventsLeft),
            waitMilliseconds()
        )
        precondition(taken >= 0, "epoll_wait refused its own descriptor")
        now = .now
        deliverEvents(eventsLeft + Int(taken))
        fireTimers()
        if mailWaits { takeMail() }
        runJobs()
        runDeferred()
        admitPatients()
        noteTurn()
    }

    /// Remembers the longest turn, which is how long everybody else had to wait.
    private func noteTurn() {
        let took = now.duration(to: .now).components
        let nanoseconds = took.seconds * 1_000_000_000 + took.attoseconds / 1_000_000_000
        if nanoseconds > longestTurnNanoseconds.load(ordering: .relaxed) {
            longestTurnNanoseconds.store(nanoseconds, ordering: .relaxed)
        }
    }

    /// Delivers the events that were taken, as many as there is time for.
    private func deliverEvents(_ count: Int) {
        var index = 0
        while index < count {
            let event = unsafe events[index]
            let token = DescriptorToken(rawValue: event.token)
            if token == .wake {
                mailWaits = true
            } else {
                deliver(event.events, to: token)
            }
            index += 1
            if index % Self.itemsPerLook == 0, isOver(Self.eventsSlice) { break }
        }
        eventsLeft = count - index
        if eventsLeft > 0 { unsafe events.update(from: events + index, count: eventsLeft) }
    }

    /// Whether jobs wait, in the middle of a turn those that the last one had no time for.
    var hasJobs: Bool { !jobs.isEmpty || runningJobsDone < runningJobs.count }

    private func isOver(_ slice: Duration) -> Bool { now.duration(to: .now) >= slice }

    /// 0 while work is queued, else the time to the next timer, at most an hour.
    private func waitMilliseconds() -> Int32 {
        if mailWaits || !revisits.isEmpty || !deferred.isEmpty || hasJobs || eventsLeft > 0
            || hasPatients
        {
            return 0
        }
        guard let next = timers.nextCheck else { return -1 }
        let remaining = now.duration(to: next).components
        if remaining.seconds < 0 || remaining.attoseconds < 0 { return 0 }
        if remaining.seconds >= 3_600 { return 3_600_000 }
        let millisecond: Int64 = 1_000_000_000_000_000
        let rounded = (remaining.attoseconds + millisecond - 1) / millisecond
        return Int32(remaining.seconds * 1_000 + rounded)
    }

    private func deliver(_ flags: UInt32, to token: DescriptorToken) {
        guard let (handler, tag) = registrations.handler(of: token) else { return }
        handler.ready(ReadyEvents(flags: flags, tag: tag), on: self)
    }

    private func fireTimers() {
        for count in 1...Self.timersPerTurnMax {
            guard let (token, handler) = timers.popExpired(now: now) else { return }
            handler.timerFired(token, on: self)
            if count % Self.itemsPerLook == 0, isOver(Self.turnSlice) { return }
        }
    }

    private func takeMail() {
        mailWaits = false
        let mail = mailbox.withLock { $0.takeAll() }
        for letter in mail {
            switch letter {
            case .work(let work): work(self)
            case .job(let job): jobs.append(job)
            }
        }
    }

    private func runJobs() {
        let serial = unsafe asUnownedSerialExecutor()
        let task = unsafe asUnownedTaskExecutor()
        for _ in 0..<Self.jobRoundsPerTurnMax {
            if runningJobsDone == runningJobs.count {
                runningJobs.removeAll(keepingCapacity: true)
                runningJobsDone = 0
                guard !jobs.isEmpty else { return }
                // The two arrays change places, so that a busy loop allocates nothing for its queue.
                swap(&runningJobs, &jobs)
            }
            while runningJobsDone < runningJobs.count {
                let job = runningJobs[runningJobsDone]
                runningJobsDone += 1
                unsafe job.runSynchronously(isolatedTo: serial, taskExecutor: task)
                if runningJobsDone % Self.itemsPerLook == 0, isOver(Self.turnSlice) { return }
            }
        }
    }

    private func runDeferred() {
        if !revisits.isEmpty {
            swap(&runningRevisits, &revisits)
            for index in runningRevisits.indices {
                let token = runningRevisits[index]
                let flags = registrations.takeRevisit(of: token)
                if flags != 0 { deliver(flags, to: token) }
            }
            runningRevisits.removeAll(keepingCapacity: true)
        }
        if !deferred.isEmpty {
            var round: [(Reactor) -> Void] = []
            swap(&round, &deferred)
            for work in round { work(self) }
        }
    }
}

private final class Outcome<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}
