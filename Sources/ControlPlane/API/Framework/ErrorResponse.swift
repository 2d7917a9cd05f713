import Control
import HTTP
import Transport
import Wire

/// The one mapping from what went wrong to what the client sees.
enum ErrorResponse {
    /// The status of each kind of refusal.
    static func status(of error: ControlError) -> HTTP.Status {
        switch error {
        case .invalid: .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .preconditionFailed: .preconditionFailed
        case .gone: .gone
        case .tooMany: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .faulted: .internalServerError
        }
    }

    static func response(for error: ControlError, requestID: String) -> HTTPResponse {
        var response = response(
            status(of: error),
            code: error.code,
            sentences(of: error),
            requestID: requestID
        )
        switch error {
        case .unauthenticated:
            try? response.fields.set(.wwwAuthenticate, "Bearer realm=\"turnpike\"")
        case .tooMany(_, let retryAfter):
            let seconds = max(1, retryAfter.components.seconds)
            try? response.fields.set(.retryAfter, String(seconds))
        case .unavailable:
            try? response.fields.set(.retryAfter, "1")
        case .invalid, .forbidden, .notFound, .conflict, .preconditionFailed, .gone, .faulted:
            break
        }
        return response
    }

    static func response(
        _ status: HTTP.Status,
        code: String,
        _ errors: [String],
        requestID: String
    ) -> HTTPResponse {
        JSONResponse.make(
            status,
            Document.fields([
                "errors": .list(errors),
                "code": .string(code),
                "request_id": .string(requestID),
            ]),
            requestID: requestID
        )
    }

    /// What is wrong, field by field.
    static func sentences(of error: ControlError) -> [String] {
        guard case .invalid(let complaint, let fields) = error, !fields.isEmpty else {
            return [error.complaint.text]
        }
        let problems = fields.map { $0.field.isEmpty ? $0.problem : "\($0.field): \($0.problem)" }
        return problems.isEmpty ? [complaint.text] : problems
    }
}

/// Answers with a JSON body and the fields that every answer of the API carries.
enum JSONResponse {
    static func make(_ status: HTTP.Status, _ body: Document, requestID: String) -> HTTPResponse {
        make(status, bytes: JSON.compact(body), type: MediaType.jsonText, requestID: requestID)
    }

    /// An answer whose status allows no body.
    static func empty(_ status: HTTP.Status, requestID: String) -> HTTPResponse {
        var response = make(status, bytes: [], type: MediaType.jsonText, requestID: requestID)
        response.fields.remove(.contentType)
        return response
    }

    static func make(
        _ status: HTTP.Status,
        bytes: [UInt8],
        type: String,
        requestID: String
    ) -> HTTPResponse {
        var fields = HeaderFields()
        // These values are ours and valid; a field that cannot be added is left out.
        try? fields.append(.contentType, type)
        try? fields.append(.cacheControl, "no-store")
        try? fields.append(name: "x-content-type-options", value: "nosniff")
        try? fields.append(.xRequestID, requestID)
        return HTTPResponse(status: status, fields: fields, body: bytes)
    }
}
