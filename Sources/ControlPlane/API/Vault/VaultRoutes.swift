import Control

/// The surface that clients of Vault speak to, one line per engine: envelope, statuses and tolerance
/// are Vault's, the rows and the rules below are those of the native routes.
enum VaultRoutes {
    static func routes(_ control: ControlPlane, _ services: APIServices) -> [Route] {
        let rooms: [[Route]] = [
            SystemRoutes.routes(control, services),
            MountRoutes.routes(),
            VaultPolicyRoutes.routes(control),
            CapabilityRoutes.routes(control),
            VaultTokenRoutes.routes(control),
            TokenRoleRoutes.routes(control),
            SecretMountRoutes.routes(),
            AuthMountRoutes.routes(control),
            LoginRoutes.routes(control),
            LoginRoleRoutes.routes(control),
            SecretIDRoutes.routes(control),
            PasswordUserRoutes.routes(control),
            AWSLoginRoutes.routes(control),
            SecretRoutes.routes(control),
            DatabaseRoutes.routes(control),
            VaultLeaseRoutes.routes(control),
            WrappingRoutes.routes(control),
            CubbyholeRoutes.routes(control),
            // What the lines above do not serve.
            AbsentRoutes.routes(),
        ]
        return rooms.flatMap { $0 }
    }
}
