import CLinux

/// Accepts connections from one listening socket, fairly and through descriptor shortage.
///
/// Belongs to its reactor's thread.
package final class Listener: EventHandler, TimerHandler {
    /// Connections taken per turn, so that a flood of new ones does not starve the old ones.
    package static let acceptsPerTurnMax = 64
    /// How long to leave connections in the kernel's queue when no descriptor is left.
    package static let shortagePause = Duration.milliseconds(100)
    /// How long to leave them there while others wait for their turn already.
    package static let crowdPause = Duration.milliseconds(5)

    /// Takes over a connection: its descriptor, where it came from, the reactor it came to.
    package typealias ConnectionHandler = (consuming Descriptor, SocketAddress, Reactor) -> Void

    package let localAddress: SocketAddress
    /// Connections given to the handler so far.
    package private(set) var acceptedCount = 0
    /// Attempts that failed so far, one per connection lost and one per shortage met.
    package private(set) var failedCount = 0
    /// The latest failure.
    package private(set) var latestFailure: SystemError?

    private var descriptor: Descriptor
    private let reactor: Reactor
    private let handler: ConnectionHandler
    private var token = DescriptorToken.none
    private var pauseTimer = TimerToken.none
    private var isPaused = false

    /// Begins to accept; the handler gets each connection's descriptor and peer address.
    package init(
        _ descriptor: consuming Descriptor,
        on reactor: Reactor,
        handler: @escaping ConnectionHandler
    ) throws(SystemError) {
        localAddress = try descriptor.localAddress()
        self.descriptor = descriptor
        self.reactor = reactor
        self.handler = handler
        token = try reactor.register(self.descriptor, handler: self)
    }

    /// Leaves new connections in the kernel's queue until `resume()`.
    package func pause() {
        isPaused = true
    }

    /// Accepts again, also what came in between.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        reactor.revisit(token, as: .readable)
    }

    /// A second owner of the listening socket, which stays open as long as one of them is.
    package func duplicate() throws(SystemError) -> Descriptor { try descriptor.duplicate() }

    /// Stops listening and closes the socket; the reactor lets go of the listener.
    package func close() {
        reactor.cancel(pauseTimer)
        reactor.deregister(token, closing: descriptor.take())
    }

    package func ready(_ events: ReadyEvents, on reactor: Reactor) {
        let most = reactor.acceptsPerTurnMax
        guard most > 0 else { return lookAgain(after: Self.crowdPause) }
        for _ in 0..<most {
            guard !isPaused, descriptor.isOpen else { return }
            switch Socket.accept(from: descriptor) {
            case .accepted(var accepted):
                acceptedCount += 1
                handler(accepted.descriptor.take(), accepted.peer, reactor)
            case .wouldBlock:
                return
            case .failed(let error):
                failedCount += 1
                latestFailure = error
                if error.isShortage { return lookAgain(after: Self.shortagePause) }
            }
        }
        reactor.revisit(token, as: .readable)
    }

    package func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        reactor.revisit(token, as: .readable)
    }

    private func lookAgain(after pause: Duration) {
        reactor.cancel(pauseTimer)
        pauseTimer = reactor.schedule(after: pause, self)
    }
}

extension SystemError {
    /// The host lacks something now, and trying at once again would only burn the processor.
    fileprivate var isShortage: Bool {
        isOutOfDescriptors || errno == ENOBUFS || errno == ENOMEM
    }
}
