import Control
import HTTP
import Transport
import Wire

/// How Vault's surface refuses: `{"errors": […]}` with Vault's statuses, and beside it the code and
/// the request's id, by which `explain` says more.
enum VaultRefusal {
    /// What everybody hears who may not, whatever the reason.
    static let denied = "permission denied"

    static func body(_ errors: [String], code: String?, requestID: String) -> Document {
        .fields([
            "errors": .list(errors),
            "code": code.map { .string($0) },
            "request_id": .string(requestID),
        ])
    }

    static func response(for error: ControlError, requestID: String) -> HTTPResponse {
        var response = JSONResponse.make(
            status(of: error),
            body(sentences(of: error), code: error.code, requestID: requestID),
            requestID: requestID
        )
        switch error {
        case .tooMany(_, let retryAfter):
            let seconds = max(1, retryAfter.components.seconds)
            try? response.fields.set(.retryAfter, String(seconds))
        case .unavailable:
            try? response.fields.set(.retryAfter, "1")
        case .invalid, .unauthenticated, .forbidden, .notFound, .conflict, .preconditionFailed,
            .gone, .faulted:
            break
        }
        return response
    }

    static func notFound(requestID: String) -> HTTPResponse {
        JSONResponse.make(
            .notFound,
            body([], code: "request.path", requestID: requestID),
            requestID: requestID
        )
    }

    static func unsupported(allow: String, requestID: String) -> HTTPResponse {
        var response = JSONResponse.make(
            .methodNotAllowed,
            body(["unsupported operation"], code: "request.method", requestID: requestID),
            requestID: requestID
        )
        try? response.fields.append(.allow, allow)
        return response
    }

    /// Vault knows neither 401 nor 409 nor 412.
    static func status(of error: ControlError) -> HTTP.Status {
        switch error {
        case .invalid, .conflict, .preconditionFailed, .gone: .badRequest
        case .unauthenticated, .forbidden: .forbidden
        case .notFound: .notFound
        case .tooMany: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .faulted: .internalServerError
        }
    }

    private static func sentences(of error: ControlError) -> [String] {
        switch error {
        case .unauthenticated: [denied]
        case .forbidden(let complaint):
            complaint.code == "access.denied" ? [denied] : [denied, complaint.text]
        case .notFound: []
        case .invalid, .conflict, .preconditionFailed, .gone, .tooMany, .unavailable, .faulted:
            ErrorResponse.sentences(of: error)
        }
    }
}
