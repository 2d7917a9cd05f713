import CLinux

/// The signals this house sends or receives.
package enum Signal: Int32, Sendable {
    case hangup = 1
    case interrupt = 2
    case quit = 3
    case kill = 9
    case user1 = 10
    case user2 = 12
    case terminate = 15
    case child = 17
    case resume = 18
    case suspend = 19
}

/// Delivers signals as events on a reactor (signalfd).
///
/// Blocks them in the calling thread. A signal reaches this source only if every thread has it
/// blocked: make the source on the main thread first; threads of Reactor block all signals anyway.
package final class SignalSource: EventHandler {
    private var descriptor: Descriptor
    private let reactor: Reactor
    private let handler: (Signal, Reactor) -> Void
    private var token = DescriptorToken.none

    /// Begins to deliver; the reactor holds the source until `close()`.
    package init(
        _ signals: Set<Signal>,
        on reactor: Reactor,
        handler: @escaping (Signal, Reactor) -> Void
    ) throws(SystemError) {
        let numbers = signals.map(\.rawValue)
        let result = unsafe numbers.withUnsafeBufferPointer { buffer in
            unsafe clinux_signal_open(buffer.baseAddress, Int32(buffer.count))
        }
        descriptor = Descriptor(owning: try SystemError.check(result, .signalfd))
        self.reactor = reactor
        self.handler = handler
        token = try reactor.register(descriptor, handler: self)
    }

    /// Stops delivering; the signals stay blocked.
    package func close() {
        reactor.deregister(token, closing: descriptor.take())
    }

    package func ready(_ events: ReadyEvents, on reactor: Reactor) {
        // At most one of each kind is pending, so this ends.
        while descriptor.isOpen {
            let number = clinux_signal_take(descriptor.number)
            guard number > 0 else { return }
            if let signal = Signal(rawValue: number) { handler(signal, reactor) }
        }
    }
}
