package import Control
import HTTP
import Wire

/// The table that the API is: one line per room.
package enum AllRoutes {
    /// Every route of this version, with the one that describes them all.
    package static func table(
        control: ControlPlane,
        mesh: MeshRooms,
        services: APIServices,
        version: String
    ) -> RouteTable {
        let rooms: [[Route]] = [
            ProbeRoutes.routes(services),
            PolicyRoutes.routes(control),
            TokenRoutes.routes(control),
            AuditRoutes.routes(control),
            StatusRoutes.routes(control),
            AuthorityRoutes.routes(mesh.authority),
            RotationRoutes.routes(mesh),
            AuthorityImportRoutes.routes(mesh.imports),
            RevocationRoutes.routes(control, mesh.agents),
            AgentRoutes.routes(mesh.agents),
            JoinTokenRoutes.routes(mesh.joinTokens),
            EnrolmentRoutes.routes(mesh.enrolment),
            CatalogRoutes.routes(control),
            ApplyRoutes.routes(control),
            LeaseRoutes.routes(control),
            ExplainRoutes.routes(control),
            VaultRoutes.routes(control, services),
        ]
        let routes = rooms.flatMap { $0 }
        return RouteTable(routes + [description(of: routes, version: version)])
    }

    private static func description(of routes: [Route], version: String) -> Route {
        let own = Route(
            .get,
            "/v1/openapi.json",
            "getDescription",
            room: "probes",
            "This description (OpenAPI 3.1)",
            access: .open
        ) { _ throws(ControlError) in Answer(.null) }
        .answering(.any)
        let document = OpenAPIDocument.make(routes + [own], version: version)
        return Route(
            own.method,
            own.template,
            own.name,
            room: own.room,
            own.summary,
            access: own.access
        ) { _ throws(ControlError) in Answer(document) }
        .answering(.any)
    }
}
