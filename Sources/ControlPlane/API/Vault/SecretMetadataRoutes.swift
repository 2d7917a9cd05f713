import Control
import HTTP
import Mesh
import Wire

/// What stands beside the values of secrets: names, versions, settings.
enum SecretMetadataRoutes {
    private static let room = SecretRoutes.room
    /// The most versions that a path may be told to keep.
    private static let versionsMax: Int64 = 1_000

    static func routes(_ control: ControlPlane) -> [Route] {
        lists(control) + metadata(control) + config(control)
    }

    private static func lists(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .list,
                "/v1/secret/metadata",
                "vaultListSecrets",
                room: room,
                "The names at the top, of folders with a slash"
            ) { _ throws(ControlError) in
                .keys(try await control.secrets.names(below: ""), mountType: SecretRoutes.type)
            },
            Route.vault(
                .list,
                "/v1/secret/metadata/{path...}",
                "vaultListFolder",
                room: room,
                "The names in a folder, of folders with a slash"
            ) { request throws(ControlError) in
                .keys(
                    try await control.secrets.names(below: request.capture("path")),
                    mountType: SecretRoutes.type
                )
            },
        ]
    }

    private static func metadata(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/secret/metadata/{path...}",
                "vaultReadMetadata",
                room: room,
                "Settings and versions of a secret, without a value"
            ) { request throws(ControlError) in
                let found = try await control.secrets.metadata(request.capture("path"))
                guard let found else { throw SecretRoutes.absent }
                return .data(document(found), mountType: SecretRoutes.type)
            },
            Route.vault(
                .post,
                "/v1/secret/metadata/{path...}",
                "vaultWriteMetadata",
                room: room,
                "Set the settings of a secret, which need not have a version yet",
                needs: .createOrUpdate
            ) { request throws(ControlError) in
                try await control.secrets.configure(
                    request.capture("path"),
                    change(request, isPatch: false),
                    by: request.caller
                )
                return .nothing
            },
            Route.vault(
                .patch,
                "/v1/secret/metadata/{path...}",
                "vaultPatchMetadata",
                room: room,
                "Merge settings into those of a secret"
            ) { request throws(ControlError) in
                let isThere = try await control.secrets.configure(
                    request.capture("path"),
                    change(request, isPatch: true),
                    mayCreate: false,
                    by: request.caller
                )
                guard isThere else { throw SecretRoutes.absent }
                return .nothing
            },
            Route.vault(
                .delete,
                "/v1/secret/metadata/{path...}",
                "vaultRemoveSecret",
                room: room,
                "Remove a secret with all of its versions, for ever"
            ) { request throws(ControlError) in
                try await control.secrets.remove(request.capture("path"), by: request.caller)
                return .nothing
            },
        ]
    }

    private static func config(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/secret/config",
                "vaultReadSecretConfig",
                room: room,
                "The settings of the mount"
            ) { _ throws(ControlError) in
                .data(
                    .map(fields(try await control.secrets.settings())),
                    mountType: SecretRoutes.type
                )
            },
            Route.vault(
                .post,
                "/v1/secret/config",
                "vaultWriteSecretConfig",
                room: room,
                "Set the settings of the mount"
            ) { request throws(ControlError) in
                let change = try change(request, isPatch: false)
                guard change.customMetadata == nil else {
                    throw VaultFields.wrong(
                        "custom_metadata",
                        "belongs to a secret, not to a mount"
                    )
                }
                try await control.secrets.configure(change, by: request.caller)
                return .nothing
            },
        ]
    }

    private static func change(
        _ request: RouteRequest,
        isPatch: Bool
    ) throws(ControlError) -> SecretSettingsChange {
        let body = VaultFields(request.body)
        var change = SecretSettingsChange()
        change.maxVersions = try body.integer("max_versions", in: 0...versionsMax)
        change.isCASRequired = try body.flag("cas_required")
        let after = try body.duration("delete_version_after")
        if let after, after > .zero, after < .seconds(1) {
            throw VaultFields.wrong("delete_version_after", "must be whole seconds")
        }
        change.deleteAfterSeconds = after?.components.seconds
        guard let metadata = try body.map("custom_metadata")?.entries else { return change }
        var texts: [String: String] = [:]
        var removed: Set<String> = []
        for entry in metadata {
            if isPatch, entry.value.isNull {
                removed.insert(entry.key)
            } else if let text = entry.value.text {
                texts[entry.key] = text
            } else {
                throw VaultFields.wrong("custom_metadata", "must hold strings only")
            }
        }
        change.customMetadata = texts
        if isPatch { change.removedMetadata = removed }
        return change
    }

    private static func fields(_ settings: SecretSettings) -> [String: Document] {
        [
            "cas_required": .bool(settings.isCASRequired),
            "max_versions": .number(settings.maxVersions),
            "delete_version_after": .string(
                GoDuration.format(.seconds(settings.deleteAfterSeconds))
            ),
        ]
    }

    private static func document(_ found: SecretMetadata) -> Document {
        var versions: [String: Document] = [:]
        for version in found.versions {
            versions[String(version.number)] = .fields([
                "created_time": .timestamp(version.createdAt),
                "deletion_time": SecretRoutes.deletionTime(version.deletionTime),
                "destroyed": .bool(version.isDestroyed),
            ])
        }
        var data = fields(found.settings)
        data["created_time"] = .timestamp(found.createdAt)
        data["updated_time"] = .timestamp(found.updatedAt)
        data["current_version"] = .number(found.currentVersion)
        data["oldest_version"] = .number(found.oldestVersion)
        data["custom_metadata"] =
            found.customMetadata.isEmpty ? .null : .map(found.customMetadata)
        data["versions"] = .map(versions)
        return .map(data)
    }
}
