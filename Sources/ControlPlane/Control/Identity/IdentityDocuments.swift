import Mesh
package import Store
package import Wire

extension TokenRow {
    /// The token in its REST form; nothing in it can be used to call.
    package var document: Document {
        .fields([
            "accessor": .string(accessor.description),
            "display_name": .string(displayName),
            "kind": .string(kind.rawValue),
            "policies": .list(policies),
            "created_at": .timestamp(createdAt),
            "expires_at": .timestamp(expiresAt),
            "revoked_at": revokedAt.map { .timestamp($0) },
            "created_by": .string(createdBy),
        ])
    }
}

extension Tokens {
    /// One page of the tokens that a caller may read, in order of creation and in their REST form.
    package func page(
        after accessor: UUIDv7?,
        limit: Int,
        for caller: Caller
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        let page = try await list(after: accessor, limit: limit)
        let visible = page.items.filter { caller.may(.read, on: "tokens/\($0.accessor)") }
        return (visible.map(\.document), page.next)
    }
}

extension Policies {
    /// One page of the policies that a caller may read, by name and in their REST form.
    package func page(
        after name: String?,
        limit: Int,
        for caller: Caller
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        let page = try await list(after: name, limit: limit)
        let visible = page.items.filter { caller.may(.read, on: "policies/\($0.policy.name)") }
        return (visible.map(\.document), page.next)
    }
}

extension PolicyRow {
    /// The policy in its REST form with what the server keeps about it.
    package var document: Document {
        var document = policy.document
        document.set("version", .number(version))
        document.set("created_at", .timestamp(createdAt))
        document.set("updated_at", .timestamp(updatedAt))
        document.set("created_by", .string(createdBy))
        return document
    }

    /// The policy's name.
    package var name: String { policy.name }

    /// The policy in HCL, as clients of Vault read it.
    package var hcl: String { PolicyText.format(policy) }

    /// The policy's entity tag.
    package var entityVersion: Int64 { version }

    /// What continues a list after this policy.
    package var pageMark: String { policy.name }
}

extension Status {
    /// The status in its REST form.
    package var document: Document {
        let servers = servers.map { server in
            Document.fields([
                "name": .string(server.name),
                "started_at": .timestamp(server.startedAt),
                "last_seen": .timestamp(server.lastSeen),
                "api_address": .string(server.apiAddress),
                "agent_address": .string(server.agentAddress),
                "version": .string(server.version),
            ])
        }
        let alarms = rowAlarms.map { alarm in
            Document.fields(["table": .string(alarm.table), "key": .string(alarm.key)])
        }
        let signers = authorities.map { signer in
            Document.fields([
                "kind": .string(signer.kind),
                "not_after": .timestamp(signer.notAfter),
                "zone": .string(signer.zone.rawValue),
            ])
        }
        return .fields([
            "cluster_id": .string(clusterID.description),
            "trust_domain": .string(trustDomain.text),
            "server": .string(self.server.text),
            "version": .string(version),
            "revision": .number(revision),
            "servers": .list(servers),
            "administrators": .number(administratorCount),
            "bootstrap_expires_at": bootstrapExpiresAt.map { .timestamp($0) } ?? .null,
            "row_alarms": .list(alarms),
            "authorities": .list(signers),
        ])
    }
}
