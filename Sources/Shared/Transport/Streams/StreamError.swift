package import Reactor
package import TLS

/// Why a stream can not go on.
package enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being waited for when the time was up.
    package enum Phase: String, Sendable {
        case connecting
        case handshake
        case reading
        case writing
    }

    /// The peer did not do its part in time.
    case timedOut(Phase)
    /// The task was cancelled.
    case cancelled
    /// We closed the stream before.
    case closed
    /// Our direction was finished before.
    case writingFinished
    /// The kernel refused or lost the connection.
    case system(SystemError)
    /// TLS refused the peer, or the peer refused us.
    case tls(TLSFailure)
    /// Our own credentials or settings are at fault.
    case configuration(TLSConfigurationError)

    package var description: String {
        switch self {
        case .timedOut(let phase): "the peer took too long (\(phase.rawValue))"
        case .cancelled: "cancelled"
        case .closed: "the connection was closed on this side"
        case .writingFinished: "nothing more can be written after the end"
        case .system(let error): "\(error)"
        case .tls(let failure): "TLS: \(failure)"
        case .configuration(let error): "TLS settings: \(error)"
        }
    }

    init(_ error: ReadinessError, in phase: Phase) {
        switch error {
        case .deadlineExceeded: self = .timedOut(phase)
        case .cancelled: self = .cancelled
        case .closed: self = .closed
        }
    }
}
