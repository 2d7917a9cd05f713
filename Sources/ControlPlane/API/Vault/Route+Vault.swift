import Control
package import HTTP
import Mesh
import Wire

/// What a caller must have for an operation of Vault's surface.
package enum VaultRight: Sendable {
    /// Nothing.
    case open
    /// Any token that lives: what Vault's policy `default` would give to everybody.
    case anyToken
    /// The capability that goes with the verb, on the route's own path: read, list, update, patch or
    /// delete.
    case verb
    /// `create` or `update`: the operation itself asks for the one that is needed, once it has seen
    /// whether the thing exists.
    case createOrUpdate
    /// What goes with the verb, and `sudo`.
    case sudo
    /// What the request says, for a path that is another name of one.
    case rights(RouteRequest.RightsDerivation)
}

extension Route {
    /// An operation of Vault's surface.
    ///
    /// Vault's path is the policy's path: what stands in the template behind `/v1/`, with the captures
    /// filled in; of a list with a slash at the end. Bodies are tolerated on every verb and read where
    /// the route takes one.
    package static func vault(
        _ method: Method,
        _ template: String,
        _ name: String,
        room: String,
        _ summary: String,
        needs right: VaultRight = .verb,
        operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        let parsed: RouteTemplate
        do {
            parsed = try RouteTemplate(template)
        } catch {
            preconditionFailure(error.sentence)
        }
        var route = Route(
            method,
            template,
            name,
            room: room,
            summary,
            access: access(right, method, path(of: parsed, isList: method == .list))
        ) { request throws(ControlError) in
            try await operation(request).answer(requestID: request.caller.requestID)
        }
        route.surface = .vault
        if method == .post || method == .patch { route.request = .any }
        route.response = .any
        return route
    }

    private static func access(
        _ right: VaultRight,
        _ method: Method,
        _ path: @escaping RouteRequest.PathDerivation
    ) -> Access {
        switch right {
        case .open: .open
        case .anyToken: .authenticated
        case .verb: .resource(capability(of: method), path)
        case .createOrUpdate: .anyOf([.create, .update], path)
        case .rights(let rights): .objects(rights)
        case .sudo:
            .objects { request throws(ControlError) in
                let path = try path(request)
                return [
                    RequiredRight(capability(of: method), on: path),
                    RequiredRight(.sudo, on: path),
                ]
            }
        }
    }

    private static func capability(of method: Method) -> Capability {
        switch method {
        case .get, .head: .read
        case .list: .list
        case .delete: .delete
        case .patch: .patch
        default: .update
        }
    }

    private static func path(
        of template: RouteTemplate,
        isList: Bool
    ) -> RouteRequest.PathDerivation {
        { request throws(ControlError) in
            var parts: [String] = []
            for segment in template.segments.dropFirst() {
                switch segment {
                case .literal(let text): parts.append(text)
                case .capture(let name), .rest(let name): parts.append(request.capture(name))
                }
            }
            return parts.joined(separator: "/") + (isList ? "/" : "")
        }
    }
}
