import Control
package import HTTP
package import Transport
import Mesh
import Wire

/// Answers every request of the admin API: finds the route, authenticates, authorises on the
/// route's canonical resource path, and only then lets an operation touch storage.
package struct APIService: Sendable {
    package let table: RouteTable
    private let services: APIServices

    package init(_ table: RouteTable, services: APIServices) {
        self.table = table
        self.services = services
    }

    /// Most bytes of a body that this request may have; for the server's own limit.
    package func bodyByteCountMax(of head: RequestHead) -> Int {
        // Most requests bring none, and finding the route is a good part of what a read costs.
        if case .none = head.framing { return 0 }
        let target = VaultTarget(head)
        guard
            case .found(let route, _) = table.match(
                target?.method ?? head.method,
                path: target?.path ?? head.path
            )
        else { return Route.bodyByteCountMaxDefault }
        // Clients of Vault send bodies where nobody reads them.
        if route.surface == .vault { return route.bodyByteCountMax }
        return route.request == nil ? 0 : route.bodyByteCountMax
    }

    /// Answers one request; every failure is an answer too.
    package func handle(_ request: HTTPRequest) async -> HTTPResponse {
        let requestID = request.context.requestID
        let target = VaultTarget(request.head)
        let match = table.match(
            target?.method ?? request.head.method,
            path: target?.path ?? request.head.path
        )
        var name = "none"
        let response: HTTPResponse
        if case .found(let route, let captures) = match {
            name = route.name
            do {
                response = try await answer(request, route, captures)
            } catch {
                response =
                    switch route.surface {
                    case .native: ErrorResponse.response(for: error, requestID: requestID)
                    case .vault: VaultRefusal.response(for: error, requestID: requestID)
                    }
            }
        } else {
            response = Self.refusal(of: match, isVault: target != nil, requestID: requestID)
        }
        services.count(name, response.status.code)
        return response
    }

    /// What a path or a method is answered that no route serves.
    private static func refusal(
        of match: RouteTable.Match,
        isVault: Bool,
        requestID: String
    ) -> HTTPResponse {
        let allow: [Method]
        switch match {
        case .methodNotAllowed(let methods): allow = methods
        case .refused(let fault):
            return ErrorResponse.response(
                .badRequest,
                code: "request.path",
                [fault.sentence],
                requestID: requestID
            )
        case .notFound, .found:
            if isVault { return VaultRefusal.notFound(requestID: requestID) }
            return ErrorResponse.response(
                .notFound,
                code: "request.path",
                ["there is no such path; /v1/openapi.json lists them all"],
                requestID: requestID
            )
        }
        let tokens = allow.map(\.token).joined(separator: ", ")
        if isVault { return VaultRefusal.unsupported(allow: tokens, requestID: requestID) }
        var refusal = ErrorResponse.response(
            .methodNotAllowed,
            code: "request.method",
            ["this path answers \(tokens)"],
            requestID: requestID
        )
        try? refusal.fields.append(.allow, tokens)
        return refusal
    }

    private func answer(
        _ request: HTTPRequest,
        _ route: Route,
        _ captures: Captures
    ) async throws(ControlError) -> HTTPResponse {
        if case .open = route.access {
        } else if case .enrolment = route.access {
            guard request.context.identity.serverName == services.enrolmentServerName else {
                throw .notFound(
                    Complaint("request.path", "hosts enrol under the enrolment server name only")
                )
            }
        }
        let isVault = route.surface == .vault
        if isVault { try RequestPreamble.checkVaultFields(request.head.fields) }
        let caller = try await authenticated(request, route)
        let preamble =
            isVault
            ? try RequestPreamble(tolerating: request, route) : try RequestPreamble(request, route)
        var routed = RouteRequest(
            captures: captures,
            query: preamble.query,
            body: preamble.body,
            caller: caller,
            serverName: request.context.identity.serverName,
            condition: preamble.condition,
            certificate: request.context.identity.certificate
        )
        try await authorise(routed, route)
        routed.token = (try? request.head.fields.presentedToken()) ?? nil
        if isVault, let lifetime = try RequestPreamble.wrapping(request.head.fields) {
            routed.isWrapped = true
            let answer = try await wrapped(routed, route, lifetime, path: request.head.path)
            return await render(answer, route, preamble, requestID: caller.requestID)
        }
        if let key = preamble.idempotencyKey {
            return try await answerOnce(routed, route, preamble, key, request)
        }
        let answer = try await route.operation(routed)
        return await render(answer, route, preamble, requestID: caller.requestID)
    }

    /// An answer in its wrapping; what has no body or is a refusal is given as it is.
    ///
    /// What anybody may ask for without a token is wrapped only where it is the token of a login:
    /// whoever has nothing to show makes no rows. That there is room is looked up first, so that
    /// nothing is made that nobody gets.
    private func wrapped(
        _ request: RouteRequest,
        _ route: Route,
        _ lifetime: Duration,
        path: String
    ) async throws(ControlError) -> Answer {
        if case .open = route.access, !route.isLogin { return try await route.operation(request) }
        let name = path.split(separator: "/").dropFirst().joined(separator: "/")
        try await services.checkWrapping(name, request.caller)
        let answer = try await route.operation(request)
        let status = answer.status ?? route.status
        guard status == .ok, answer.text == nil, answer.body.entries != nil,
            answer.body["wrap_info"]?.entries == nil
        else { return answer }
        var reply = VaultReply.data(nil, mountType: "")
        reply.wrapInfo = try await services.wrap(answer.body, lifetime, name, request.caller)
        return reply.answer(requestID: request.caller.requestID)
    }

    private func authenticated(
        _ request: HTTPRequest,
        _ route: Route
    ) async throws(ControlError) -> Caller {
        let requestID = request.context.requestID
        let source = Self.host(of: String(describing: request.context.peerAddress))
        let token: PresentedToken?
        do {
            token = try request.head.fields.presentedToken()
        } catch {
            if route.surface == .vault, error != .ambiguous {
                throw .unauthenticated(Complaint("token.malformed", error.sentence))
            }
            throw .invalid("request.credentials", field: "", error.sentence)
        }
        switch route.access {
        case .open, .enrolment:
            return Caller(
                principal: "anonymous",
                sourceAddress: source,
                requestID: requestID
            )
        case .authenticated, .resource, .anyOf, .objects:
            let certificate = request.context.identity.certificate
            return try await services.authenticate(token, source, requestID, certificate)
                .during(requestID: requestID, sourceAddress: source)
        }
    }

    private func authorise(_ request: RouteRequest, _ route: Route) async throws(ControlError) {
        let rights: [RequiredRight]
        switch route.access {
        case .open, .enrolment, .authenticated: return
        case .resource(let capability, let path):
            rights = [RequiredRight(capability, on: try path(request))]
        case .anyOf(let capabilities, let path):
            let path = try path(request)
            if capabilities.contains(where: { request.caller.may($0, on: path) }) { return }
            rights = capabilities.suffix(1).map { RequiredRight($0, on: path) }
        case .objects(let list): rights = try list(request)
        }
        for right in rights where !request.caller.may(right.capability, on: right.path) {
            await services.recordDenial(request.caller, right)
            throw .forbidden(
                Complaint(
                    "access.denied",
                    "\(request.caller.principal) lacks `\(right.capability.rawValue)` on "
                        + "`\(right.path)`; a policy of the token must grant it"
                )
            )
        }
    }

    private func render(
        _ answer: Answer,
        _ route: Route,
        _ preamble: RequestPreamble,
        requestID: String
    ) async -> HTTPResponse {
        var answer = answer
        if let text = answer.text {
            return JSONResponse.make(
                answer.status ?? route.status,
                bytes: text.bytes,
                type: text.type,
                requestID: requestID
            )
        }
        if (answer.status ?? route.status).forbidsBody {
            return JSONResponse.empty(answer.status ?? route.status, requestID: requestID)
        }
        if let wait = preamble.wait, let revision = answer.changedRevision {
            let enforcement = await services.waitEnforced(revision, wait)
            let cannot = answer.cannotEnforce.map(\.text)
            answer.body.set("enforced", enforcement.document(besides: cannot))
        }
        var response = JSONResponse.make(
            answer.status ?? route.status,
            answer.body,
            requestID: requestID
        )
        if let revision = answer.entityRevision, let tag = EntityTag(String(revision)) {
            try? response.fields.set(.etag, tag.description)
        }
        return response
    }

    /// A creation under a key: the first answer is stored and given again to the same request.
    private func answerOnce(
        _ routed: RouteRequest,
        _ route: Route,
        _ preamble: RequestPreamble,
        _ key: IdempotencyKey,
        _ request: HTTPRequest
    ) async throws(ControlError) -> HTTPResponse {
        let caller = routed.caller
        let hash = services.digest(
            Array("\(route.name)\n\(request.head.target.originForm)\n".utf8) + request.body
        )
        switch try await services.claim(caller, key, hash) {
        case .claimed: break
        case .answered(let stored):
            let answer = Self.answer(from: stored)
            return await render(answer, route, preamble, requestID: caller.requestID)
        case .mismatched:
            throw .conflict(
                Complaint(
                    "request.idempotency_key",
                    "this Idempotency-Key was used for another request; use a fresh one"
                )
            )
        case .inProgress:
            throw .conflict(
                Complaint(
                    "request.in_progress",
                    "a request with this Idempotency-Key is being worked on; repeat it in a moment"
                )
            )
        }
        var creating = routed
        creating.creation = CreationKey(principal: caller.principal, text: key.text)
        let answer: Answer
        do throws(ControlError) {
            answer = try await route.operation(creating)
        } catch {
            // What may have happened keeps its key: its answer is there exactly if it happened.
            if error.code != "storage.outcome_unknown" {
                try? await services.abandon(caller, key)
            }
            throw error
        }
        if !answer.isKept {
            let status = (answer.status ?? route.status).code
            // It happened: the caller hears of it even where nobody will be able to repeat it.
            try? await services.complete(
                caller,
                key,
                StoredAnswer(status: status, body: JSON.compact(answer.body))
            )
        }
        return await render(answer, route, preamble, requestID: caller.requestID)
    }

    /// What was answered the first time; whether it is enforced is found out anew.
    private static func answer(from stored: StoredAnswer) -> Answer {
        let body = (try? JSON.parse(stored.body, source: "the stored answer")) ?? .null
        let revision = body["revision"]?.integer
        return Answer(
            body,
            status: HTTP.Status(stored.status) ?? .ok,
            entityRevision: revision,
            changedRevision: revision
        )
    }

    /// The host of `host:port`, without the brackets of IPv6.
    static func host(of address: String) -> String {
        guard let colon = address.lastIndex(of: ":"), address.first != "/" else { return address }
        let host = address[..<colon]
        return host.first == "[" ? String(host.dropFirst().dropLast()) : String(host)
    }
}

extension StreamIdentity {
    /// The workload's certificate that the handshake has verified; nil without one.
    fileprivate var certificate: PresentedCertificate? {
        shownCertificate.map { shown in
            PresentedCertificate(
                spiffeID: shown.name,
                serialNumber: shown.serialNumber,
                digest: shown.digest,
                notAfter: shown.notAfter,
                root: shown.root
            )
        }
    }
}
