import Control
import HTTP
import Mesh
import Wire

/// Static secrets with versions, as Vault's KV engine of version 2 serves them at `secret/`.
enum SecretRoutes {
    static let room = "vault secrets"
    static let type = "kv"
    /// Most bytes of a body: a value and what is around it.
    static let bodyByteCountMax = 1_048_576
    static let versions: ClosedRange<Int64> = 0...1_000_000_000

    static func routes(_ control: ControlPlane) -> [Route] {
        values(control) + changes(control) + SecretMetadataRoutes.routes(control)
    }

    // MARK: Values

    private static func values(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/secret/data/{path...}",
                "vaultReadSecret",
                room: room,
                "The value of a secret; 404 with its metadata where the version is deleted"
            ) { request throws(ControlError) in
                let found = try await read(request, control)
                let data = Document.fields([
                    "data": found.value ?? .null,
                    "metadata": metadata(found),
                ])
                return found.value == nil
                    ? .refusal(.notFound, [], data: data) : .data(data, mountType: type)
            }
            .filtered(by: versionParameter),
            Route.vault(
                .get,
                "/v1/secret/subkeys/{path...}",
                "vaultReadSubkeys",
                room: room,
                "The names inside of a secret, without their values"
            ) { request throws(ControlError) in
                let found = try await read(request, control)
                let depth = try number(request, "depth") ?? 0
                let data = Document.fields([
                    "subkeys": found.value.map { subkeys($0, depth: depth, level: 1) } ?? .null,
                    "metadata": metadata(found),
                ])
                return found.value == nil
                    ? .refusal(.notFound, [], data: data) : .data(data, mountType: type)
            }
            .filtered(
                by: versionParameter,
                Route.Parameter("depth", .integer(0...1_000), "Levels to show; 0 for all")
            ),
            Route.vault(
                .post,
                "/v1/secret/data/{path...}",
                "vaultWriteSecret",
                room: room,
                "Write a new version; `options.cas` names the one that it follows",
                needs: .createOrUpdate
            ) { request throws(ControlError) in
                let (data, cas) = try body(request)
                return written(
                    try await control.secrets.write(
                        data,
                        to: request.capture("path"),
                        cas: cas,
                        by: request.caller
                    )
                )
            }
            .taking(.any, limit: bodyByteCountMax),
            Route.vault(
                .patch,
                "/v1/secret/data/{path...}",
                "vaultPatchSecret",
                room: room,
                "Merge a patch into the current version and write the result"
            ) { request throws(ControlError) in
                let (data, cas) = try body(request)
                let found = try await control.secrets.patch(
                    data,
                    at: request.capture("path"),
                    cas: cas,
                    by: request.caller
                )
                guard let found else { throw absent }
                return written(found)
            }
            .taking(.any, limit: bodyByteCountMax),
        ]
    }

    // MARK: Changes

    private static func changes(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .delete,
                "/v1/secret/data/{path...}",
                "vaultDeleteSecret",
                room: room,
                "Delete the current version, so that it can be undeleted"
            ) { request throws(ControlError) in
                try await control.secrets.change(
                    .delete,
                    nil,
                    of: request.capture("path"),
                    by: request.caller
                )
                return .nothing
            },
            change(.delete, "vaultDeleteVersions", "Delete versions, to be undeleted", control),
            change(.undelete, "vaultUndeleteVersions", "Undelete versions", control),
            change(.destroy, "vaultDestroyVersions", "Destroy versions for ever", control),
        ]
    }

    private static func change(
        _ change: Secrets.Change,
        _ name: String,
        _ summary: String,
        _ control: ControlPlane
    ) -> Route {
        Route.vault(
            .post,
            "/v1/secret/\(change.rawValue)/{path...}",
            name,
            room: room,
            summary
        ) { request throws(ControlError) in
            let fields = VaultFields(request.body)
            guard let numbers = try fields.integers("versions", in: 1...versions.upperBound),
                !numbers.isEmpty
            else { throw VaultFields.wrong("versions", "No version number provided") }
            try await control.secrets.change(
                change,
                numbers,
                of: request.capture("path"),
                by: request.caller
            )
            return .nothing
        }
    }

    // MARK: Shape

    static let absent = ControlError.notFound(
        Complaint("secret.not_found", "there is no such secret")
    )

    private static let versionParameter = Route.Parameter(
        "version",
        .integer(nil),
        "Which version; 0 or nothing for the current one"
    )

    private static func read(
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> SecretVersion {
        let version = try number(request, "version")
        let found = try await control.secrets.read(
            request.capture("path"),
            version: version == 0 ? nil : version,
            by: request.caller
        )
        guard let found else { throw absent }
        return found
    }

    private static func number(
        _ request: RouteRequest,
        _ name: String
    ) throws(ControlError) -> Int64? {
        guard let text = try request.parameter(name), !text.isEmpty else { return nil }
        guard let number = Int64(text), versions.contains(number) else {
            throw .invalid("request.query", field: name, "must be a whole number from 0 on")
        }
        return number
    }

    private static func body(
        _ request: RouteRequest
    ) throws(ControlError) -> (data: Document, cas: Int64?) {
        let fields = VaultFields(request.body)
        guard let data = try fields.map("data") else {
            throw VaultFields.wrong("data", "no data provided")
        }
        let options = VaultFields(try fields.map("options") ?? .fields([:]))
        return (data, try options.integer("cas", in: versions))
    }

    private static func written(_ version: SecretVersion) -> VaultReply {
        .data(metadata(version), mountType: type)
    }

    private static func metadata(_ version: SecretVersion) -> Document {
        .fields([
            "created_time": .timestamp(version.createdAt),
            "custom_metadata": version.customMetadata.isEmpty
                ? .null : .map(version.customMetadata),
            "deletion_time": deletionTime(version.deletionTime),
            "destroyed": .bool(version.isDestroyed),
            "version": .number(version.version),
        ])
    }

    static func deletionTime(_ time: Timestamp?) -> Document {
        time.map { .timestamp($0) } ?? .string("")
    }

    /// The shape of a value: of a map its keys, of everything else null.
    private static func subkeys(_ value: Document, depth: Int64, level: Int64) -> Document {
        guard let entries = value.entries, !entries.isEmpty, depth == 0 || level <= depth else {
            return .null
        }
        return Document(
            .map(
                entries.map { entry in
                    Document.Entry(
                        key: entry.key,
                        value: subkeys(entry.value, depth: depth, level: level + 1)
                    )
                }
            )
        )
    }
}
