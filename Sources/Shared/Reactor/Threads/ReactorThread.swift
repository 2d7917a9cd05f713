import CLinux
import Synchronization

/// A reactor on a thread of its own, with every signal blocked there.
///
/// The thread lives until `stop()`; letting go of the last reference stops it without waiting.
package final class ReactorThread: Sendable {
    package let reactor: Reactor
    private let thread: Mutex<UInt64?>

    /// Starts the thread; the name is cut at 15 bytes, `processor` pins it to one CPU.
    package init(name: String, processor: Int? = nil) throws(SystemError) {
        let reactor = try Reactor(owner: 0)
        let handle = try SystemThread.start(name: name, processor: processor) { reactor.run() }
        self.reactor = reactor
        thread = Mutex(handle)
    }

    /// Ends the loop and waits for the thread to end.
    ///
    /// Not from the reactor's own thread.
    package func stop() {
        precondition(!reactor.isCurrent, "a reactor thread cannot wait for itself")
        guard let handle = takeHandle() else { return }
        reactor.stop()
        SystemThread.join(handle)
    }

    private func takeHandle() -> UInt64? {
        thread.withLock { handle in
            defer { handle = nil }
            return handle
        }
    }

    deinit {
        guard let handle = takeHandle() else { return }
        reactor.stop()
        SystemThread.detach(handle)
    }
}

/// The reactors of a process, one per CPU of its affinity mask if not told otherwise.
package final class ReactorGroup: Sendable {
    private let threads: [ReactorThread]
    private let turn = Atomic<Int>(0)

    /// Starts the threads, named `<name>-<number>`.
    ///
    /// With `isPinned` each is bound to one CPU of the mask, in turn.
    package init(count: Int? = nil, name: String, isPinned: Bool = false) throws(SystemError) {
        let processors = SystemThread.processors()
        let count = max(1, count ?? processors.count)
        var threads: [ReactorThread] = []
        for index in 0..<count {
            let processor = isPinned ? processors[index % processors.count] : nil
            threads.append(try ReactorThread(name: "\(name)-\(index)", processor: processor))
        }
        self.threads = threads
    }

    package var count: Int { threads.count }

    /// All reactors, in a fixed order.
    package var reactors: [Reactor] { threads.map(\.reactor) }

    /// One reactor after the other.
    ///
    /// From any thread.
    package func next() -> Reactor {
        let index = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return threads[Int(UInt(bitPattern: index) % UInt(threads.count))].reactor
    }

    /// Ends all loops and waits for their threads.
    ///
    /// Not from one of them.
    package func stop() {
        for thread in threads { thread.stop() }
    }
}

/// Plain kernel threads.
enum SystemThread {
    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    static func start(
        name: String,
        processor: Int?,
        _ run: @escaping @Sendable () -> Void
    ) throws(SystemError) -> UInt64 {
        let context = unsafe Unmanaged.passRetained(Body(run))
        var handle: UInt64 = 0
        let result = unsafe clinux_thread_start(
            name,
            Int32(processor ?? -1),
            { pointer in
                guard let pointer = unsafe pointer else { return }
                unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
            },
            context.toOpaque(),
            &handle
        )
        if result < 0 {
            unsafe context.release()
            throw SystemError(errno: 0 &- result, call: .pthread)
        }
        return handle
    }

    static func join(_ handle: UInt64) {
        _ = clinux_thread_join(handle)
    }

    static func detach(_ handle: UInt64) {
        _ = clinux_thread_detach(handle)
    }

    /// The CPUs this process may use, at least one.
    static func processors() -> [Int] {
        var numbers = [Int32](repeating: 0, count: 1_024)
        let count = unsafe numbers.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_processors(buffer.baseAddress, Int32(buffer.count))
        }
        guard count > 0 else { return [0] }
        return numbers.prefix(Int(count)).map { Int($0) }
    }
}
