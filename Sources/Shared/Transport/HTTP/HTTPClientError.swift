package import HTTP

/// Why a request got no answer.
package enum HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The server could not be reached, or its certificate was refused.
    case connecting(to: String, StreamError)
    /// The connection was lost during the exchange.
    case lost(StreamError)
    /// The server ended the connection before its answer was complete.
    case answerCutShort
    /// No complete answer within the time given.
    case timedOut
    /// The answer is no valid HTTP, or larger than we read.
    case answerRefused(MessageFault)
    /// The request itself can not be sent; says what would be right.
    case requestInvalid(String)

    package var description: String {
        switch self {
        case .connecting(let address, let error): "cannot connect to \(address): \(error)"
        case .lost(let error): "the connection to the server was lost: \(error)"
        case .answerCutShort: "the server ended the connection in the middle of its answer"
        case .timedOut: "the server did not answer in time"
        case .answerRefused(let fault): "the server's answer is refused: \(fault.sentence)"
        case .requestInvalid(let problem): problem
        }
    }
}
