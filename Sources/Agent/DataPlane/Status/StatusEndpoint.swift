import HTTP
package import Observability
package import Reactor
import Snapshot
import Transport
import Wire

/// The agent's status and metrics for this host: loopback only, GET only, no secrets.
///
/// A web page that a local browser shows must not read it under a name that leads here, so the
/// `Host` of every request must be a loopback address or `localhost`.
package struct StatusEndpoint: Sendable {
    private let server: HTTPServer

    /// Where it listens.
    package var address: SocketAddress { server.localAddress }

    /// Begins to serve; an address that is not loopback is refused with EADDRNOTAVAIL.
    package static func start(
        on address: SocketAddress,
        reactor: Reactor,
        subscription: Subscription,
        metrics: MetricRegistry
    ) async throws(SystemError) -> StatusEndpoint {
        guard address.isLoopback else {
            throw SystemError(errno: 99, call: .bind)
        }
        var configuration = HTTPServerConfiguration(security: nil)
        configuration.connectionLimits.connectionCountMax = 64
        configuration.bodyByteCountMax = { _ in 0 }
        let server = try await HTTPServer.start(
            on: address,
            reactors: [reactor],
            configuration: configuration
        ) { request in
            await answer(request.head, subscription, metrics)
        }
        return StatusEndpoint(server: server)
    }

    /// Stops serving.
    package func stop() async { await server.drain(grace: .milliseconds(200)) }

    static func answer(
        _ head: RequestHead,
        _ subscription: Subscription,
        _ metrics: MetricRegistry
    ) async -> HTTPResponse {
        guard isLocal(head.authority) else {
            return text(.misdirectedRequest, "ask for localhost or a loopback address\n")
        }
        guard head.method == .get || head.method == .head else {
            return text(.methodNotAllowed, "GET only\n")
        }
        switch head.path {
        case "/status":
            return await document(subscription.status().document)
        case "/livez":
            return text(.ok, "ok\n")
        case "/readyz":
            return await subscription.isReady
                ? text(.ok, "ok\n")
                : text(.serviceUnavailable, "no snapshot or certificate yet; see /status\n")
        case "/metrics":
            return body(
                .ok,
                Array(metrics.prometheusText().utf8),
                MetricRegistry.prometheusContentType
            )
        default:
            return text(.notFound, "/status, /metrics, /livez or /readyz\n")
        }
    }

    static func isLocal(_ authority: Authority?) -> Bool {
        guard let host = authority?.host else { return false }
        if host == "localhost" { return true }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return IPAddress(bare)?.isLoopback ?? false
    }

    private static func document(_ document: Document) -> HTTPResponse {
        body(.ok, JSON.pretty(document), "application/json")
    }

    private static func text(_ status: Status, _ text: String) -> HTTPResponse {
        body(status, Array(text.utf8), "text/plain; charset=utf-8")
    }

    private static func body(_ status: Status, _ bytes: [UInt8], _ type: String) -> HTTPResponse {
        var fields = HeaderFields()
        // Both values are constants of ours and well formed.
        try? fields.append(.contentType, type)
        try? fields.append(.cacheControl, "no-store")
        return HTTPResponse(status: status, fields: fields, body: bytes)
    }
}
