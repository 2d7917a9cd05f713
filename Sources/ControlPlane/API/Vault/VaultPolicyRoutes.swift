import Control
import HTTP
import Mesh
import Wire

/// Policies as clients of Vault read and write them; they are the same rows as `/v1/policies`.
enum VaultPolicyRoutes {
    private static let room = "vault policies"

    static func routes(_ control: ControlPlane) -> [Route] {
        surface(control, "/v1/sys/policies/acl", text: "policy", suffix: "")
            + surface(control, "/v1/sys/policy", text: "rules", suffix: "Legacy")
            + [
                Route.vault(
                    .get,
                    "/v1/sys/policy",
                    "vaultReadPolicies",
                    room: room,
                    "The names of all policies, as the old path gives them"
                ) { _ throws(ControlError) in
                    let names = try await control.policies.names()
                    return top(.fields(["keys": .list(names), "policies": .list(names)]))
                }
            ]
    }

    /// The same four operations under either path; `text` is the field that a read gives the policy in.
    private static func surface(
        _ control: ControlPlane,
        _ base: String,
        text: String,
        suffix: String
    ) -> [Route] {
        [
            Route.vault(
                .list,
                base,
                "vaultListPolicies\(suffix)",
                room: room,
                "The names of all policies"
            ) { _ throws(ControlError) in
                .keys(try await control.policies.names(), mountType: "system")
            },
            Route.vault(
                .get,
                "\(base)/{policy}",
                "vaultReadPolicy\(suffix)",
                room: room,
                "One policy, written as HCL"
            ) { request throws(ControlError) in
                let row = try await control.policies.find(request.capture("policy").lowercased())
                return top(
                    .fields([
                        "name": .string(row.name),
                        "\(text)": .string(row.hcl),
                    ])
                )
            },
            Route.vault(
                .post,
                "\(base)/{policy}",
                "vaultWritePolicy\(suffix)",
                room: room,
                "Create or replace a policy from HCL or JSON"
            ) { request throws(ControlError) in
                try await write(request, control)
                return .nothing
            },
            Route.vault(
                .delete,
                "\(base)/{policy}",
                "vaultDeletePolicy\(suffix)",
                room: room,
                "Delete a policy that no live token names"
            ) { request throws(ControlError) in
                do throws(ControlError) {
                    try await control.policies.delete(
                        request.capture("policy").lowercased(),
                        by: request.caller
                    )
                } catch {
                    // What is not there is deleted.
                    guard case .notFound = error else { throw error }
                }
                return .nothing
            },
        ]
    }

    private static func top(_ data: Document) -> VaultReply {
        var reply = VaultReply.data(data, mountType: "system")
        reply.repeatsAtTop = true
        return reply
    }

    private static func write(
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) {
        let fields = VaultFields(request.body)
        let name = request.capture("policy").lowercased()
        guard name != "root" else {
            throw .invalid("policy.name", field: "name", "there is no policy root here")
        }
        var text = try fields.text("policy") ?? ""
        // Old clients say `rules`.
        if text.isEmpty { text = try fields.text("rules") ?? "" }
        guard !text.isEmpty else {
            throw VaultFields.wrong("policy", "is required: HCL path blocks, or the same as JSON")
        }
        let policy: AccessPolicy
        do {
            policy = try PolicyText.parse(text, name: name)
        } catch {
            throw .invalid("policy.text", field: "policy", error.description)
        }
        _ = try await control.policies.put(policy, by: request.caller)
    }
}
