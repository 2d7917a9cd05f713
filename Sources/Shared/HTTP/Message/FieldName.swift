/// A header field name: a token, kept in lower case (RFC 9110 section 5.1).
package struct FieldName: Hashable, Sendable, CustomStringConvertible {
    /// The name in lower case.
    package let text: String

    /// Longest name accepted, in bytes.
    package static let byteCountMax = 256

    private init(known text: String) {
        self.text = text
    }

    /// A name in any case; nil when it is empty, too long or no token.
    package init?(_ text: String) {
        let octets = text.utf8
        guard !octets.isEmpty, octets.count <= FieldName.byteCountMax,
            octets.allSatisfy(\.isTokenCharacter)
        else { return nil }
        self.text = String(decoding: octets.map(\.lowerCased), as: UTF8.self)
    }

    package static let accept = FieldName(known: "accept")
    package static let allow = FieldName(known: "allow")
    package static let authorization = FieldName(known: "authorization")
    package static let cacheControl = FieldName(known: "cache-control")
    package static let connection = FieldName(known: "connection")
    package static let contentLength = FieldName(known: "content-length")
    package static let contentType = FieldName(known: "content-type")
    package static let cookie = FieldName(known: "cookie")
    package static let date = FieldName(known: "date")
    package static let etag = FieldName(known: "etag")
    package static let expect = FieldName(known: "expect")
    package static let forwarded = FieldName(known: "forwarded")
    package static let host = FieldName(known: "host")
    package static let http2Settings = FieldName(known: "http2-settings")
    package static let idempotencyKey = FieldName(known: "idempotency-key")
    package static let ifMatch = FieldName(known: "if-match")
    package static let ifNoneMatch = FieldName(known: "if-none-match")
    package static let keepAlive = FieldName(known: "keep-alive")
    package static let location = FieldName(known: "location")
    package static let origin = FieldName(known: "origin")
    package static let proxyAuthenticate = FieldName(known: "proxy-authenticate")
    package static let proxyAuthorization = FieldName(known: "proxy-authorization")
    package static let proxyConnection = FieldName(known: "proxy-connection")
    package static let retryAfter = FieldName(known: "retry-after")
    package static let server = FieldName(known: "server")
    package static let setCookie = FieldName(known: "set-cookie")
    package static let te = FieldName(known: "te")
    package static let trailer = FieldName(known: "trailer")
    package static let transferEncoding = FieldName(known: "transfer-encoding")
    package static let upgrade = FieldName(known: "upgrade")
    package static let userAgent = FieldName(known: "user-agent")
    package static let wwwAuthenticate = FieldName(known: "www-authenticate")
    package static let xConsulToken = FieldName(known: "x-consul-token")
    package static let xRequestID = FieldName(known: "x-request-id")
    package static let xVaultToken = FieldName(known: "x-vault-token")

    package var description: String { text }
}
