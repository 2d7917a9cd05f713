import Control
import HTTP
import Mesh
import Wire

/// What clients of Vault may ask for and this server does not have yet: 501 with the reason, so that
/// nobody takes it for a wrong path or a missing right.
///
/// Everything else that is unknown is 404.
enum AbsentRoutes {
    private static let room = "vault system"

    /// Why, by the first segment behind `sys/`.
    static let system: [String: String] = [
        "audit": "the audit trail is always on and not a device: read it at /v1/audit",
        "audit-hash": "the audit trail holds no hashed values: read it at /v1/audit",
        "auth": "login methods stand directly below auth/",
        "config": "this setting does not exist here",
        "key-status": "the keyring's state is not shown here yet",
        "mounts": "engines cannot be enabled, disabled or tuned yet: secret/ is always there",
        "namespaces": "there is the root namespace only",
        "quotas": "quotas do not exist yet",
        "remount": "engines cannot be moved",
        "rotate": "keys cannot be rotated from here yet",
        "seal": "a running server cannot be sealed yet: stop it",
    ]

    /// Why, by the name of the login method.
    static let logins: [String: String] = Dictionary(
        uniqueKeysWithValues: ["oidc"]
            .map { ($0, "the login method \($0) does not exist yet: use a token") }
    )

    /// Why, by what stands behind `auth/token/`.
    static let tokens: [String: String] = [
        "revoke-orphan": "a token ends with all below it: there is no other way yet",
        "tidy": "there is nothing to tidy",
    ]

    /// Why, by what stands behind `database/`.
    static let database: [String: String] = [
        "rotate-role": "there are no static roles: their password would outlive whoever read it",
        "static-creds": "there are no static roles: read database/creds, which gives a lease",
        "static-roles": "there are no static roles: write database/roles, which gives leases",
    ]

    /// Why, by the engine.
    static let engines: [(root: String, reason: String)] = [
        ("identity", "entities and groups do not exist here: a token's policies are its rights"),
        ("pki", "the PKI engine does not exist yet: services get certificates from their agent"),
        ("transit", "the transit engine does not exist yet"),
    ]

    static func routes() -> [Route] {
        let verbs: [Method] = [.get, .list, .post, .delete]
        return verbs.flatMap { verb in
            [
                absent(verb, "/v1/sys/{path...}", "System") { request in
                    let first = request.capture("path").split(separator: "/").first
                    return first.flatMap { system[String($0)] }
                },
                // A login brings its credential in the body, so nobody is asked for a token.
                absent(verb, "/v1/auth/{method}/{path...}", "Auth", isOpen: verb == .post) {
                    if let reason = logins[$0.capture("method")] { return reason }
                    let first = $0.capture("path").split(separator: "/").first ?? ""
                    return $0.capture("method") == "token" ? tokens[String(first)] : nil
                },
                absent(verb, "/v1/database/{path...}", "Database") { request in
                    let first = request.capture("path").split(separator: "/").first
                    return first.flatMap { database[String($0)] }
                },
            ]
                + engines.map { engine in
                    absent(verb, "/v1/\(engine.root)/{path...}", engine.root.capitalizedASCII) {
                        _ in engine.reason
                    }
                }
        }
    }

    private static func absent(
        _ verb: Method,
        _ template: String,
        _ name: String,
        isOpen: Bool = false,
        reason: @escaping @Sendable (RouteRequest) -> String?
    ) -> Route {
        Route.vault(
            verb,
            template,
            "vaultAbsent\(name)\(verb.token.lowercased().capitalizedASCII)",
            room: room,
            "What does not exist yet: 501 with the reason, 404 for what never will",
            needs: isOpen ? .open : .anyToken
        ) { request throws(ControlError) in
            guard let reason = reason(request) else {
                throw .notFound(Complaint("request.path", "there is no such path"))
            }
            return .refusal(.notImplemented, [reason])
        }
        .answering(.any, status: .notImplemented)
    }
}

extension String {
    /// With the first letter in upper case, all else untouched.
    fileprivate var capitalizedASCII: String { prefix(1).uppercased() + dropFirst() }
}
