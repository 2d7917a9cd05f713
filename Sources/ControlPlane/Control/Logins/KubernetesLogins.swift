import Crypto
import Mesh
import Observability
import Store
import Transport
import Wire

/// Logins of the service accounts of a Kubernetes cluster, by the tokens that their pods have.
package struct KubernetesLogins: Sendable {
    /// The longest answer of an API server.
    private static let answerBytesMax = 64 * 1024
    private static let reviews = "/apis/authentication.k8s.io/v1/tokenreviews"

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    // MARK: Configuration

    /// How a mount knows tokens; nil before that was said.
    package func configuration(
        _ mount: String
    ) async throws(ControlError) -> KubernetesConfiguration? {
        _ = try await control.authMounts.require(mount, .kubernetes)
        return try await control.authMounts.entry(Self.path(mount), .kubernetesConfiguration)
            .flatMap { KubernetesConfiguration($0.document) }
    }

    /// Says how a mount knows tokens.
    package func configure(
        _ mount: String,
        _ configuration: KubernetesConfiguration,
        by caller: Caller
    ) async throws(ControlError) {
        let found = try await control.authMounts.require(mount, .kubernetes)
        guard configuration.publicKeys.count <= JWTConfiguration.keysMax else {
            throw .invalid(
                "auth.keys",
                field: "pem_keys",
                "must have at most \(JWTConfiguration.keysMax) keys"
            )
        }
        do throws(JOSEError) {
            _ = try Self.keys(configuration)
        } catch {
            throw .invalid("auth.keys", field: "pem_keys", error.description)
        }
        let isAddress = DocumentAddress(Self.address(configuration)) != nil
        guard isAddress || (configuration.host.isEmpty && !configuration.publicKeys.isEmpty) else {
            throw .invalid(
                "auth.host",
                field: "kubernetes_host",
                "must be https://host[:port], or pem_keys must say how tokens are verified"
            )
        }
        try await control.authMounts.put(
            Self.path(mount),
            below: found,
            .kubernetesConfiguration,
            configuration.document,
            by: caller,
            more: { act in
                try await control.authMounts.checkRoles(of: mount, by: caller, act)
            }
        )
    }

    private static func address(_ configuration: KubernetesConfiguration) -> String {
        let host = configuration.host
        return (host.hasSuffix("/") ? String(host.dropLast()) : host) + reviews
    }

    private static func keys(
        _ configuration: KubernetesConfiguration
    ) throws(JOSEError) -> JSONWebKeySet? {
        var given = JWTConfiguration()
        given.publicKeys = configuration.publicKeys
        return try given.givenKeys()
    }

    // MARK: Login

    /// Gives a token to a service account that a role admits.
    package func logIn(
        _ token: String,
        role name: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(token, name, mount, caller)
        }
    }

    private func judge(
        _ token: String,
        _ name: String,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .kubernetes)
        let configured = try await control.authMounts.entry(
            Self.path(mount),
            .kubernetesConfiguration
        )
        guard let configured, let configuration = KubernetesConfiguration(configured.document)
        else {
            throw await control.refuseLogin("not_configured", caller, at: "auth/\(mount)")
        }
        let path = KubernetesRole.path(name, at: mount)
        let entry = try await control.authMounts.entry(path, KubernetesRole.kind)
        guard let row = entry, let role = KubernetesRole(row.document) else {
            throw await control.refuseLogin("unknown_role", caller, at: "auth/\(mount)")
        }
        let now = try await control.read { try await ServerRepository.time(in: $0) }
        guard Identity.mayCome(from: caller.sourceAddress, role.grant.boundCIDRs) else {
            throw await control.refuseLogin("elsewhere", caller, at: path)
        }
        var metadata: [String: String]
        switch Self.claims(token, configuration, role, at: now) {
        case .success(let account): metadata = account
        case .failure(let refusal):
            throw await control.refuseLogin(refusal.code, caller, at: path)
        }
        if configuration.publicKeys.isEmpty,
            let reason = try await review(token, metadata, configuration, role)
        {
            throw await control.refuseLogin(reason, caller, at: path)
        }
        metadata["role"] = name
        let account = metadata["service_account_name"] ?? ""
        var login = Tokens.Login(
            mount: found,
            role: row,
            grant: role.grant,
            displayName: "\(mount)-\(metadata["service_account_namespace"] ?? "")-\(account)",
            metadata: metadata
        )
        login.configuration = configured
        return try await control.tokens.grant(login, by: caller)
    }

    private struct Refusal: Error {
        let code: String
    }

    /// Whose token it is, by keys that were given; without any, who it says that it is.
    private static func claims(
        _ text: String,
        _ configuration: KubernetesConfiguration,
        _ role: KubernetesRole,
        at now: Timestamp
    ) -> Result<[String: String], Refusal> {
        do {
            let jws = try CompactJWS(text)
            let payload =
                try keys(configuration)?
                .verify(jws, allowing: JWTConfiguration.algorithmsDefault) ?? jws.payload
            let claims = try TokenClaims(payload: payload)
            let user = try role.rules.identify(claims, issuer: configuration.issuer, now: now).user
            let place = "/kubernetes.io/serviceaccount"
            guard let namespace = claims.value(at: "/kubernetes.io/namespace")?.text,
                let name = claims.value(at: "\(place)/name")?.text,
                user == "system:serviceaccount:\(namespace):\(name)"
            else { return .failure(Refusal(code: "kubernetes_subject")) }
            return .success([
                "service_account_name": name,
                "service_account_namespace": namespace,
                "service_account_uid": claims.value(at: "\(place)/uid")?.text ?? "",
            ])
        } catch let error as JOSEError {
            return .failure(Refusal(code: error.code))
        } catch let error as ClaimRefusal {
            return .failure(Refusal(code: error.code))
        } catch {
            return .failure(Refusal(code: "malformed"))
        }
    }

    /// Why the API server does not know the token as what it says; nil where it does.
    ///
    /// It is asked with the token itself: a reviewer's own would have to be kept here, and live long.
    private func review(
        _ token: String,
        _ account: [String: String],
        _ configuration: KubernetesConfiguration,
        _ role: KubernetesRole
    ) async throws(ControlError) -> String? {
        let fields = [
            ("accept", "application/json"), ("content-type", "application/json"),
            ("authorization", "Bearer \(token)"),
        ].map { (name: $0.0, value: $0.1) }
        let question = Document.fields([
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": .fields(["token": .string(token), "audiences": .list([role.audience])]),
        ])
        let reply: DocumentFetch.Reply
        do throws(DocumentFetchError) {
            reply = try await control.outside.ask(
                OutsideServers.Place(
                    address: Self.address(configuration),
                    rootsPEM: configuration.hostCAPEM,
                    mayBePrivate: configuration.allowsPrivateAddresses,
                    byteCountMax: Self.answerBytesMax
                ),
                DocumentFetch.Request(
                    fields: fields,
                    body: JSON.canonical(question)
                )
            )
        } catch {
            control.logger.warning(
                "an API server could not be asked",
                ["reason": .text(error.description)]
            )
            throw Self.unavailable
        }
        if reply.status >= 500 { throw Self.unavailable }
        guard reply.status == 200 || reply.status == 201,
            let answer = try? JSON.parse(reply.body, source: "review", limits: .request)
        else { return "kubernetes_refused" }
        let status = answer["status"]
        let name = account["service_account_name"] ?? ""
        let namespace = account["service_account_namespace"] ?? ""
        guard answer["kind"]?.text == "TokenReview", status?["authenticated"]?.bool == true,
            status?["error"]?.text ?? "" == "",
            status?["user"]?["username"]?.text == "system:serviceaccount:\(namespace):\(name)",
            status?["audiences"]?.items?.contains(where: { $0.text == role.audience }) == true
        else { return "kubernetes_refused" }
        return nil
    }

    private static let unavailable = ControlError.unavailable(
        Complaint("auth.no_review", "the cluster's API server cannot be asked at this moment")
    )

    private static func path(_ mount: String) -> String { "auth/\(mount)/config" }
}

extension ControlPlane {
    /// Logins of service accounts of Kubernetes.
    package var kubernetesLogins: KubernetesLogins { KubernetesLogins(self) }
}
