package import HTTP
package import Mesh

/// One row of the table that the API is: everything that a client, the authorisation and the
/// OpenAPI document need to know about an operation.
package struct Route: Sendable {
    /// What a caller must have.
    package enum Access: Sendable {
        /// Nothing: probes and the API's own description.
        case open
        /// A connection that named `enroll.<trust domain>`; there the credential is in the body.
        case enrolment
        /// Any token that lives.
        case authenticated
        /// A capability on the path that the captures and the query give.
        case resource(Capability, RouteRequest.PathDerivation)
        /// One of several capabilities on the path that the captures and the query give.
        case anyOf([Capability], RouteRequest.PathDerivation)
        /// A capability on each of several paths, which the body names.
        case objects(RouteRequest.RightsDerivation)
    }

    /// Whose manners an operation has.
    package enum Surface: Sendable {
        /// Strict, as this API is everywhere else.
        case native
        /// As clients of Vault expect it: envelope, statuses, tolerance.
        case vault
    }

    /// What else an operation supports.
    package enum Feature: Hashable, Sendable, CaseIterable {
        /// `If-Match`.
        case conditional
        /// `?wait=enforced&timeout=5s`.
        case waitsEnforced
        /// `Idempotency-Key`.
        case idempotencyKey
        /// `limit` and `after`.
        case paged
    }

    /// A query parameter.
    package struct Parameter: Equatable, Sendable {
        package let name: String
        package let schema: Schema
        package let summary: String
        package let isRequired: Bool

        package init(
            _ name: String,
            _ schema: Schema = .text(),
            _ summary: String,
            isRequired: Bool = false
        ) {
            self.name = name
            self.schema = schema
            self.summary = summary
            self.isRequired = isRequired
        }
    }

    package let method: Method
    /// Such as `/v1/services/{namespace}/{service}`.
    package let template: String
    /// The operation's id in the OpenAPI document, such as `getService`.
    package let name: String
    package let summary: String
    /// The room it belongs to, such as `services`.
    package let room: String
    package let access: Access
    package var surface: Surface = .native
    package var features: Set<Feature> = []
    package var parameters: [Parameter] = []
    /// The shape of the body; nil where a body is refused.
    package var request: Schema?
    package var response: Schema = .object([])
    /// The status of success.
    package var status: HTTP.Status = .ok
    /// Most bytes of a body.
    package var bodyByteCountMax = Route.bodyByteCountMaxDefault
    /// Whether it gives a token to whoever proves who they are, so that its answer may be wrapped
    /// although it is asked for without one.
    package var isLogin = false
    package let operation: RouteRequest.Operation

    /// Most bytes of a body where the route says nothing else.
    package static let bodyByteCountMaxDefault = 64 * 1024

    package init(
        _ method: Method,
        _ template: String,
        _ name: String,
        room: String,
        _ summary: String,
        access: Access,
        operation: @escaping RouteRequest.Operation
    ) {
        self.method = method
        self.template = template
        self.name = name
        self.room = room
        self.summary = summary
        self.access = access
        self.operation = operation
    }
}

/// A capability that a request needs on one path.
package struct RequiredRight: Hashable, Sendable {
    package let path: String
    package let capability: Capability

    package init(_ capability: Capability, on path: String) {
        self.capability = capability
        self.path = path
    }
}

extension Route {
    /// This route with a body.
    package func taking(_ schema: Schema, limit: Int = bodyByteCountMaxDefault) -> Route {
        var route = self
        route.request = schema
        route.bodyByteCountMax = limit
        return route
    }

    /// This route with what it answers.
    package func answering(_ schema: Schema, status: HTTP.Status = .ok) -> Route {
        var route = self
        route.response = schema
        route.status = status
        return route
    }

    /// This route as a list of items of one shape, in pages.
    package func answeringPages(of schema: Schema) -> Route {
        var route = supporting(.paged)
        route.response = .object([
            .readOnly("items", .list(schema), "One page"),
            .readOnly("next", .text(), "Give it as `after` for the next page; null at the end"),
        ])
        return route
    }

    /// This route with more features.
    package func supporting(_ features: Feature...) -> Route {
        var route = self
        route.features.formUnion(features)
        return route
    }

    /// This route with query parameters.
    package func filtered(by parameters: Parameter...) -> Route {
        var route = self
        route.parameters += parameters
        return route
    }
}
