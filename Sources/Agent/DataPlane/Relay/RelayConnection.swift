import Mesh
import Observability
import Reactor
import TLS
import Wire

/// One connection between a local program in plain TCP and another agent in TLS.
///
/// Confined to its reactor. The extensions hold what each phase does: `+Inbound` and `+Outbound`
/// until there is a permit and both sockets, `+Relaying` the bytes, `+Ending` the ends.
final class RelayConnection: EventHandler, TimerHandler {
    enum Phase: Equatable {
        /// Bytes of the secure side go to TLS, nothing of the plain side is read.
        case handshaking
        /// Waits for the socket that the agent itself opens.
        case connecting
        /// The host outside of the mesh, on the plain side, has not proved yet who it is.
        case provingOutside
        case relaying
        /// Refused: waits until the peer had time to read why.
        case lingering
        case closed
    }

    /// Who used an upstream port.
    struct LocalUser: Equatable {
        let uid: UInt32
        let port: UInt16
    }

    let lane: DataPlaneReactor
    let isInbound: Bool
    let peerAddress: SocketAddress
    var registryIndex = -1
    var phase: Phase

    var plain = Descriptor.closed
    var secure = Descriptor.closed
    var plainToken = DescriptorToken.none
    var secureToken = DescriptorToken.none
    var session: TLSSession?
    /// The target outside of the mesh that the connection was made under, and the TLS spoken there.
    var outside: OutsideOrigin?
    var outsideSession: TLSSession?
    var machine = RelayMachine()
    var timer = TimerToken.none

    /// What waits for room in a socket; empty, without storage, whenever it does not.
    var heldForPlain: [UInt8] = []
    var heldForSecure: [UInt8] = []
    /// What goes out once the outside has proved who it is.
    var heldForOutside: [UInt8] = []
    /// Whether the connection waits for the first answer about its target, and whether it did.
    var isAwaitingAddresses = false
    var hasAwaitedAddresses = false
    /// Whether the outside was asked to begin TLS and has not answered yet.
    var isAskingForTLS = false
    /// A reader must go on to the end once the peer closed, for no further edge comes.
    var isPlainPeerClosed = false
    var isSecurePeerClosed = false

    var permit: ConnectionPermit?
    var localUser: LocalUser?
    /// Of the certificate that this side has shown, for revocations.
    var ownSerialNumber: [UInt8] = []
    /// The last second of both sides' leaves, inclusive.
    var leavesEnd = Timestamp.distantFuture
    var attemptsLeft = DataPlaneLimits.attemptsMax
    /// Where the agent's own socket goes, and where it failed to go before.
    var destination: Destination?
    var tried: Destination?
    /// The upstream port's counts, while this connection is among them.
    var circuit: Circuit?
    var isPending = false
    var latestFailure = DecisionReason.noEndpoints

    var byteCountFromPlain: UInt64 = 0
    var byteCountFromSecure: UInt64 = 0
    var reportedFromPlain: UInt64 = 0
    var reportedFromSecure: UInt64 = 0
    var lingerByteCount = 0
    /// Whether the lane counts it among those that have not proved who they are.
    var isHandshakePending = false
    /// Whether bytes may be on their way to the other agent, and since when it is silent.
    var awaitsDelivery = false
    var loss = LossWatch()
    /// Whether it counts as open in metrics and flows.
    var isCounted = false
    /// Whether bytes moved since the latest sweep, and whether the sweep knows the connection.
    var hasMoved = false
    var isWarm = false

    var reactor: Reactor { lane.reactor }

    init(lane: DataPlaneReactor, isInbound: Bool, peerAddress: SocketAddress) {
        self.lane = lane
        self.isInbound = isInbound
        self.peerAddress = peerAddress
        phase = isInbound ? .handshaking : .connecting
    }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        guard let side = RelayMachine.Side(rawValue: events.tag) else { return }
        if events.isPeerClosed {
            if side == .plain { isPlainPeerClosed = true } else { isSecurePeerClosed = true }
        }
        if events.isReadable { machine.becameReadable(side) }
        if events.isWritable { machine.becameWritable(side) }
        switch phase {
        case .relaying:
            // An error of a direction that still carries bytes shows when they are moved.
            if events.isError, machine.hasEnded(side) { return abort() }
            relay()
        case .handshaking:
            if side == .secure { shakeHands() } else { endIfGone(events) }
        case .connecting:
            if side == (isInbound ? .plain : .secure) {
                connectionAttemptAnswered(events)
            } else {
                endIfGone(events)
            }
        case .provingOutside:
            if side == .plain { proveOutside() } else { endIfGone(events) }
        case .lingering:
            linger()
        case .closed:
            break
        }
    }

    func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        self.timer = .none
        switch phase {
        case .handshaking:
            lane.metrics.handshakeFailures.increment()
            if isInbound { return refuse(.refused(.handshakeTimeout)) }
            latestFailure = .handshakeTimeout
            tryNextDestination()
        case .provingOutside:
            lane.metrics.handshakeFailures.increment()
            latestFailure = .handshakeTimeout
            tryNextDestination()
        case .connecting:
            latestFailure = .connectTimeout
            tryNextDestination()
        case .relaying:
            record(.refused(.idleTimeout))
            abort()
        case .lingering:
            end(resetting: true)
        case .closed:
            break
        }
    }

    func arm(_ delay: Duration) {
        reactor.cancel(timer)
        timer = reactor.schedule(at: reactor.now.advanced(by: delay), self)
    }

    func disarm() {
        reactor.cancel(timer)
        timer = .none
    }

    private func endIfGone(_ events: ReadyEvents) {
        if events.isHangup || events.isError { abort() }
    }
}
