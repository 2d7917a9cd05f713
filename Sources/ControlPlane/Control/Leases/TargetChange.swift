import Crypto
package import Mesh
package import Store
package import Wire

/// What a client of Vault writes about a target; what is nil stays as it is.
package struct TargetChange: Sendable {
    /// With `{{username}}` and `{{password}}`.
    package var connectionURL: String?
    /// PEM.
    package var authorities: String?
    package var user: String?
    /// The second administrator.
    package var rotationUser: String?
    package var password: String?
    package var allowedProfiles: [String]?
    /// Whether the administrator has to be seen to log in.
    package var isVerified = true

    package init() {}
}

extension Targets {
    /// Creates or changes a target as clients of Vault do.
    package func change(
        _ name: TargetName,
        _ change: TargetChange,
        by caller: Caller
    ) async throws(ControlError) {
        let known = try await row(name)
        let version = known?.version
        _ = try await put(
            try target(name, change, known?.target),
            passwordText: change.password,
            isVerified: change.isVerified,
            if: { $0 == version },
            by: caller
        )
    }

    private func target(
        _ name: TargetName,
        _ change: TargetChange,
        _ known: LeaseTarget?
    ) throws(ControlError) -> LeaseTarget {
        guard let text = change.connectionURL ?? known.map(ConnectionURL.text) else {
            throw ConnectionURL.wrong("is required for a new connection")
        }
        let url = try ConnectionURL(text)
        let pem = change.authorities ?? known?.security.pem
        if url.isVerified == true, pem == nil {
            throw .invalid(
                "target.authorities",
                field: "tls_ca",
                "is required with sslmode=verify-full: the PEM certificates of the authorities"
            )
        }
        guard let user = url.user ?? change.user ?? known?.user else {
            throw .invalid("target.username", field: "username", "is required")
        }
        if url.user != nil, let other = change.user, other != user {
            throw ConnectionURL.wrong("names another user than `username`")
        }
        let target = LeaseTarget(
            name: name,
            place: url.place,
            security: try Self.security(url.isVerified == false ? nil : pem),
            database: url.database,
            user: user,
            rotationUser: change.rotationUser ?? known?.rotationUser,
            allowedProfiles: change.allowedProfiles ?? known?.allowedProfiles ?? [],
            leasesMax: known?.leasesMax ?? LeaseTarget.leasesMaxDefault
        )
        do throws(InvalidField) {
            try target.validate()
        } catch {
            throw .invalid(
                "target.invalid",
                field: Self.vaultFields[error.field] ?? "connection_url",
                error.problem.description
            )
        }
        return target
    }

    private static let vaultFields = [
        "username": "username", "rotation_username": "rotation_username",
        "allowed_profiles": "allowed_roles", "tls.ca": "tls_ca",
    ]

    private static func security(
        _ pem: String?
    ) throws(ControlError) -> LeaseTarget.Security {
        guard let pem else { return .plain }
        do throws(FieldError) {
            return try .verified(pem: pem, field: "tls_ca")
        } catch {
            throw .invalid(
                Complaint("target.authorities", "\(error)"),
                fields: [FieldProblem(error)]
            )
        }
    }

    /// Forgets the connections to a target and that it did not answer.
    package func reset(_ name: TargetName, by caller: Caller) async throws(ControlError) {
        _ = try await find(name)
        try await control.act(caller, action: "target.reset", resource: Self.path(name)) { _ in }
        await control.leaseDesk.sessions.forget(name)
        control.leaseDesk.succeeded(name)
    }

    /// The names of all targets, at most `Leases.namesMax` and a page more.
    package func names() async throws(ControlError) -> [String] {
        var names: [String] = []
        var after: String?
        repeat {
            let page = try await list(after: after, limit: 1_000)
            names += page.items.map(\.target.name.text)
            after = page.next
        } while after != nil && names.count < Leases.namesMax
        return names
    }
}

extension TargetRow {
    /// The target as a client of Vault reads it, without its password.
    package var connectionDocument: Document {
        .fields([
            "plugin_name": "postgresql-database-plugin",
            "plugin_version": "",
            "allowed_roles": .list(target.allowedProfiles),
            "connection_details": .fields([
                "connection_url": .string(ConnectionURL.text(of: target)),
                "username": .string(target.user),
                "rotation_username": target.rotationUser.map { .string($0) },
                "tls_ca": target.security.pem.map { .string($0) },
            ]),
            "password_policy": "",
            "root_credentials_rotate_statements": .list([Document]()),
        ])
    }
}
