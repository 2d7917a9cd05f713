package import Control
import HTTP
import Mesh
import Wire

/// What this replica and its cluster look like.
package enum StatusRoutes {
    /// The status.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/status",
                "getStatus",
                room: "status",
                "What this replica and its cluster look like",
                access: .resource(.read) { _ throws(ControlError) in "status" }
            ) { _ throws(ControlError) in Answer(try await control.status().document) }
            .answering(
                .object([
                    .readOnly("cluster_id", .text(format: "uuid"), "Which cluster"),
                    .readOnly("trust_domain", .text(), "Its trust domain"),
                    .readOnly("server", .text(), "The replica that answers"),
                    .readOnly("version", .text(), "The version of its program"),
                    .readOnly("revision", .integer(nil), "The last configuration change"),
                    .readOnly("servers", .list(.any), "All replicas"),
                    .readOnly("administrators", .integer(nil), "Live tokens that may do all"),
                    .readOnly(
                        "bootstrap_expires_at",
                        .text(format: "date-time"),
                        "While there is no administrator yet: when the bootstrap token ends"
                    ),
                    .readOnly(
                        "row_alarms",
                        .list(.any),
                        "Rows that somebody wrote behind the server's back"
                    ),
                    .readOnly(
                        "authorities",
                        .list(.any),
                        "What signs now, until when, and how close to its end it is"
                    ),
                ])
            )
        ]
    }
}
