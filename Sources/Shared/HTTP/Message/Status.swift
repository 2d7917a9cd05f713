/// A response status code, 100 to 599 (RFC 9110 section 15).
package struct Status: Hashable, Sendable, CustomStringConvertible {
    package let code: Int

    private init(known code: Int) {
        self.code = code
    }

    /// A status from its code; nil outside 100 to 599.
    package init?(_ code: Int) {
        guard (100...599).contains(code) else { return nil }
        self.code = code
    }

    package static let `continue` = Status(known: 100)
    package static let switchingProtocols = Status(known: 101)
    package static let ok = Status(known: 200)
    package static let created = Status(known: 201)
    package static let accepted = Status(known: 202)
    package static let noContent = Status(known: 204)
    package static let movedPermanently = Status(known: 301)
    package static let found = Status(known: 302)
    package static let seeOther = Status(known: 303)
    package static let notModified = Status(known: 304)
    package static let temporaryRedirect = Status(known: 307)
    package static let permanentRedirect = Status(known: 308)
    package static let badRequest = Status(known: 400)
    package static let unauthorized = Status(known: 401)
    package static let forbidden = Status(known: 403)
    package static let notFound = Status(known: 404)
    package static let methodNotAllowed = Status(known: 405)
    package static let notAcceptable = Status(known: 406)
    package static let requestTimeout = Status(known: 408)
    package static let conflict = Status(known: 409)
    package static let gone = Status(known: 410)
    package static let preconditionFailed = Status(known: 412)
    package static let contentTooLarge = Status(known: 413)
    package static let targetTooLong = Status(known: 414)
    package static let unsupportedMediaType = Status(known: 415)
    package static let expectationFailed = Status(known: 417)
    package static let misdirectedRequest = Status(known: 421)
    package static let unprocessableContent = Status(known: 422)
    package static let locked = Status(known: 423)
    package static let preconditionRequired = Status(known: 428)
    package static let tooManyRequests = Status(known: 429)
    package static let fieldsTooLarge = Status(known: 431)
    package static let internalServerError = Status(known: 500)
    package static let notImplemented = Status(known: 501)
    package static let badGateway = Status(known: 502)
    package static let serviceUnavailable = Status(known: 503)
    package static let gatewayTimeout = Status(known: 504)
    package static let versionNotSupported = Status(known: 505)

    /// An interim response, followed by another one.
    package var isInformational: Bool { code < 200 }
    package var isSuccess: Bool { (200...299).contains(code) }

    /// Whether a response with this status never has a body (RFC 9110 section 6.4.1).
    package var forbidsBody: Bool { isInformational || code == 204 || code == 304 }

    /// The standard reason phrase; empty for a code that the house does not name.
    package var reasonPhrase: String { Status.reasonPhrases[code] ?? "" }

    package var description: String { "\(code)" }

    private static let reasonPhrases: [Int: String] = [
        100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted",
        204: "No Content", 206: "Partial Content", 301: "Moved Permanently", 302: "Found",
        303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
        404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
        408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
        412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        415: "Unsupported Media Type", 417: "Expectation Failed", 421: "Misdirected Request",
        422: "Unprocessable Content", 423: "Locked", 428: "Precondition Required",
        429: "Too Many Requests", 431: "Request Header Fields Too Large",
        500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
        503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]
}
