package import Control
package import HTTP
package import Mesh
package import Wire

/// A request on its way to an operation: the route found, the caller known.
package struct RouteRequest: Sendable {
    /// Answers a request that was authenticated and authorised.
    package typealias Operation =
        @Sendable (RouteRequest) async throws(ControlError) -> Answer
    /// The same for Vault's surface, which puts its own envelope around the reply.
    package typealias VaultOperation =
        @Sendable (RouteRequest) async throws(ControlError) -> VaultReply
    /// The canonical resource path of a request, before storage is read.
    package typealias PathDerivation =
        @Sendable (RouteRequest) throws(ControlError) -> String
    /// Everything that the body of a request needs, before storage is read.
    package typealias RightsDerivation =
        @Sendable (RouteRequest) throws(ControlError) -> [RequiredRight]

    package let captures: Captures
    package let query: QueryParameters
    /// The body; null where there is none.
    package let body: Document
    package let caller: Caller
    /// The server name of the connection, in lower case.
    package let serverName: String?
    /// Revisions that `If-Match` admits; nil without the field.
    package let condition: Condition?
    /// The workload's certificate that the connection has shown; nil without one.
    package let certificate: PresentedCertificate?
    /// The token of the request, for the look-ups that answer it to whoever has shown it.
    package var token: PresentedToken?
    /// Whether the answer is asked for in a wrapping.
    package var isWrapped = false
    /// The claimed key of a creation that may be repeated; nil without one.
    package var creation: CreationKey?

    /// What `If-Match` asks for.
    package enum Condition: Equatable, Sendable {
        /// `*`: it must exist.
        case exists
        case revisions([Int64])

        /// Whether a row at `revision` satisfies it; nil is a row that is not there.
        package func admits(_ revision: Int64?) -> Bool {
            guard let revision else { return false }
            switch self {
            case .exists: return true
            case .revisions(let revisions): return revisions.contains(revision)
            }
        }
    }

    /// The value of a capture of the route's own template.
    package func capture(_ name: String) -> String {
        guard let value = captures[name] else {
            preconditionFailure("the template has no capture \(name)")
        }
        return value
    }

    /// A capture as a value of the vocabulary; refused with the capture's name.
    package func capture<Value, Failure: Error>(
        _ name: String,
        as make: (String) throws(Failure) -> Value
    ) throws(ControlError) -> Value {
        do {
            return try make(capture(name))
        } catch {
            throw .invalid("request.path", field: name, "\(error)")
        }
    }

    /// A query parameter that may occur once; nil when it is absent.
    package func parameter(_ name: String) throws(ControlError) -> String? {
        do {
            return try query.single(name)
        } catch {
            throw .invalid("request.query", field: name, error.sentence)
        }
    }

    /// A query parameter as a value of the vocabulary; nil when it is absent.
    package func parameter<Value, Failure: Error>(
        _ name: String,
        as make: (String) throws(Failure) -> Value
    ) throws(ControlError) -> Value? {
        guard let text = try parameter(name) else { return nil }
        do {
            return try make(text)
        } catch {
            throw .invalid("request.query", field: name, "\(error)")
        }
    }

    /// Reads the body by one of the vocabulary's decoders.
    package func read<Value>(
        _ decode: (FieldValue) throws(FieldError) -> Value
    ) throws(ControlError) -> Value {
        do {
            return try decode(FieldValue(body, path: ""))
        } catch {
            throw .invalid(
                Complaint("request.field", error.description),
                fields: [FieldProblem(error)]
            )
        }
    }

    /// Most items of a page.
    package static let pageLimitMax = 1000
    /// Items of a page where the client does not say.
    package static let pageLimitDefault = 100

    /// The page that `limit` and `after` ask for.
    package func page() throws(ControlError) -> (limit: Int, after: String?) {
        let text = try parameter("limit")
        let limit = text.map { Int($0) ?? 0 } ?? Self.pageLimitDefault
        guard (1...Self.pageLimitMax).contains(limit) else {
            throw .invalid(
                "request.query",
                field: "limit",
                "must be a number from 1 to \(Self.pageLimitMax)"
            )
        }
        return (limit, try parameter("after"))
    }
}

/// What an operation answers.
package struct Answer: Sendable {
    package var status: HTTP.Status?
    package var body: Document
    /// A body that is no JSON, with its media type; then `body` counts for nothing.
    package var text: (bytes: [UInt8], type: String)?
    /// The revision of the resource in the answer: its entity tag.
    package var entityRevision: Int64?
    /// The revision that a write made, or that already holds what the write asked for; for
    /// `wait=enforced`.
    package var changedRevision: Int64?
    /// Agents that acknowledge the revision and cannot do what it asks for: for `wait=enforced` they
    /// have not enforced it.
    package var cannotEnforce: [AgentName] = []
    /// Whether it was stored under the request's key, together with what it speaks of.
    package var isKept = false

    package init(
        _ body: Document,
        status: HTTP.Status? = nil,
        entityRevision: Int64? = nil,
        changedRevision: Int64? = nil
    ) {
        self.body = body
        self.status = status
        self.entityRevision = entityRevision
        self.changedRevision = changedRevision
    }

    /// One page of a list.
    package static func page(_ items: [Document], next: String?) -> Answer {
        Answer(
            Document.fields([
                "items": .list(items),
                "next": next.map { .string($0) } ?? .null,
            ])
        )
    }
}
