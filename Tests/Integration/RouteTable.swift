import Foundation
import HTTP
import Support
import Testing
import Wire

/// The route table of a running server, read from its own description.
struct RouteTable: Sendable {
    /// One operation of the description.
    struct Operation: Sendable, CustomTestStringConvertible {
        let method: Method
        let template: String
        /// Its `operationId`.
        let id: String
        let needsToken: Bool
        let takesBody: Bool

        var testDescription: String { "\(method) \(template)" }

        /// Whether what it needs is said by its body.
        var isAuthorisedByBody: Bool { ["apply", "createIntention", "issueLease"].contains(id) }

        /// A target with every capture filled in, and the query that it must have.
        func target(naming name: String = "present") -> String {
            var target = template
            for (capture, value) in Self.captures(name) {
                target = target.replacingOccurrences(of: "{\(capture)}", with: value)
            }
            switch id {
            case "explain": target += "?source=\(name)&destination=\(name)"
            case "verifyAudit": target += "?writer=server/server-1"
            default: break
            }
            return target
        }

        private static func captures(_ name: String) -> [(String, String)] {
            [
                ("namespace", name == "present" ? "default" : name), ("service", name),
                ("agent", name), ("instance", name), ("port", "15432"), ("policy", name),
                ("destination_namespace", "default"), ("destination", name),
                ("source_namespace", "default"), ("source", name),
                ("accessor", "01900000-0000-7000-8000-000000000001"),
                ("id", "01900000-0000-7000-8000-000000000002"),
                ("subject", "root"), ("step", "prepare"),
                ("target", name), ("profile", name), ("lease", "agequxnmsz3uxpgowmbatguak4"),
            ]
        }

        /// A body that the operation would take.
        func body(naming name: String = "present") -> String {
            guard takesBody else { return "" }
            switch id {
            case "apply": return #"{"resources":[{"kind":"service","name":"\#(name)"}]}"#
            case "createIntention":
                return #"{"source":"\#(name)","destination":"\#(name)","action":"allow"}"#
            case "putIntention": return #"{"action":"allow"}"#
            case "putInstance": return #"{"port":5432}"#
            case "putExternal":
                return #"{"host":"db.example.com","port":5432,"tls":{"mode":"none"}}"#
            case "putUpstream": return #"{"source":"\#(name)","destination":"\#(name)"}"#
            case "putPolicy": return #"{"paths":{"status":["read"]}}"#
            case "createToken": return #"{"display_name":"x","policies":["read-only"]}"#
            case "putTarget":
                return #"{"host":"localhost","database":"d","username":"u","password":"p"}"#
            case "putProfile": return #"{"target":"\#(name)","group_role":"g"}"#
            case "issueLease": return #"{"profile":"\#(name)"}"#
            case "decommissionTarget": return #"{"reason":"x"}"#
            case "enroll": return #"{"secret":"AAAA","csr":"AAAA"}"#
            case "importAuthority": return #"{"certificate":"x"}"#
            case "submitTrustDocument": return #"{"envelope":"AAAA"}"#
            default: return "{}"
            }
        }
    }

    /// Those of the native surface; Vault's has other manners and tests of its own.
    let operations: [Operation]

    /// Reads `/v1/openapi.json`, without a token.
    init(of server: ServerChild) async throws {
        let answer = try await server.newClient().send(.get, "/v1/openapi.json", token: nil)
        let paths = try #require(answer.body["paths"]?.entries, "\(answer.text)")
        var operations: [Operation] = []
        for path in paths {
            for entry in path.value.entries ?? [] where !Self.isVault(entry.value) {
                operations.append(
                    Operation(
                        method: try #require(Method(entry.key.uppercased())),
                        template: path.key,
                        id: try #require(entry.value["operationId"]?.text),
                        needsToken: entry.value["security"]?.items?.isEmpty == false,
                        takesBody: entry.value["requestBody"] != nil
                    )
                )
            }
        }
        self.operations = operations
    }

    private static func isVault(_ operation: Document) -> Bool {
        let refusal = operation["responses"]?["default"]?["content"]?["application/json"]
        return refusal?["schema"]?["$ref"]?.text == "#/components/schemas/VaultError"
    }

    /// The methods of each template.
    var methods: [String: Set<HTTP.Method>] {
        operations.reduce(into: [:]) { $0[$1.template, default: []].insert($1.method) }
    }
}
