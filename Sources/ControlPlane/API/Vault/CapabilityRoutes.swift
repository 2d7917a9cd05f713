import Control
import HTTP
import Mesh
import Wire

/// What a token may do on some paths, before it tries.
enum CapabilityRoutes {
    /// The most paths of one question.
    static let pathsMax = 100
    private static let room = "vault system"

    static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .post,
                "/v1/sys/capabilities-self",
                "vaultOwnCapabilities",
                room: room,
                "What the token of this request may do on some paths",
                needs: .anyToken
            ) { request throws(ControlError) in
                try answer(request, policies: request.caller.policies)
            },
            Route.vault(
                .post,
                "/v1/sys/capabilities",
                "vaultTokenCapabilities",
                room: room,
                "What another token may do on some paths"
            ) { request throws(ControlError) in
                let token = try VaultFields(request.body).requiredText("token")
                return try answer(request, policies: try await control.tokens.policies(of: token))
            },
            Route.vault(
                .post,
                "/v1/sys/capabilities-accessor",
                "vaultAccessorCapabilities",
                room: room,
                "What the token with an accessor may do on some paths"
            ) { request throws(ControlError) in
                let accessor = try VaultFields(request.body).accessor()
                return try answer(
                    request,
                    policies: try await control.tokens.policies(behind: accessor)
                )
            },
        ]
    }

    private static func answer(
        _ request: RouteRequest,
        policies: [AccessPolicy]
    ) throws(ControlError) -> VaultReply {
        let fields = VaultFields(request.body)
        var paths = try fields.texts("paths") ?? []
        if paths.isEmpty { paths = try fields.texts("path") ?? [] }
        guard (1...pathsMax).contains(paths.count) else {
            throw VaultFields.wrong("paths", "must name 1 to \(pathsMax) paths")
        }
        var data = Document.fields([:])
        for (index, path) in paths.enumerated() {
            let plain = path.utf8.first == UInt8(ascii: "/") ? String(path.dropFirst()) : path
            // What the path gives, as far as no other path of the same object is denied.
            let asked = Caller(principal: "", policies: policies)
            let granted = AccessEvaluation.capabilities(on: plain, policies: policies)
                .filter { asked.may($0, on: plain) || $0 == .deny }
            let names = granted.isEmpty ? ["deny"] : granted.sorted().map(\.rawValue)
            if index == 0 { data.set("capabilities", .list(names)) }
            data.set(path, .list(names))
        }
        var reply = VaultReply.data(data, mountType: "system")
        reply.repeatsAtTop = true
        return reply
    }
}
