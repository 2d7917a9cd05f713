import Control
import HTTP
import Transport
import Wire

extension RequestPreamble {
    /// Reads a request as Vault does: what is unknown is passed over, a body may be there or not,
    /// and its media type says nothing except on `PATCH`.
    init(tolerating request: HTTPRequest, _ route: Route) throws(ControlError) {
        do {
            query = try QueryParameters(request.head.query)
        } catch {
            throw .invalid("request.query", field: "", error.sentence)
        }
        condition = nil
        idempotencyKey = nil
        wait = nil
        body = try Self.tolerantBody(request, route)
    }

    private static func tolerantBody(
        _ request: HTTPRequest,
        _ route: Route
    ) throws(ControlError) -> Document {
        let empty = Document.fields([:])
        guard route.request != nil, !request.body.isEmpty else { return empty }
        guard request.body.count <= route.bodyByteCountMax else {
            throw .invalid(
                "request.body",
                field: "",
                "the body is longer than \(route.bodyByteCountMax) bytes"
            )
        }
        if route.method == .patch, !request.head.fields.isMergePatch {
            throw .invalid(
                "request.content_type",
                field: "Content-Type",
                "must be application/merge-patch+json"
            )
        }
        let body: Document
        do {
            body = try JSON.parse(request.body, source: "body", limits: .request)
        } catch {
            throw .invalid("request.body", field: "", error.description)
        }
        if body.isNull { return empty }
        guard body.entries != nil else {
            throw .invalid("request.body", field: "", "the body must be a JSON object")
        }
        return body
    }

    /// Refuses what a client of Vault asks by header and does not get here.
    ///
    /// To pass over a namespace would be to act in another one, and to pass over a wrapping would be
    /// to show what was to be hidden.
    static func checkVaultFields(_ fields: HeaderFields) throws(ControlError) {
        for name in namespaceFields {
            for value in fields.values(name) where !isRoot(value) {
                throw .invalid(
                    "vault.namespace",
                    field: name.text,
                    "there is the root namespace only: leave the field out"
                )
            }
        }
    }

    /// For how long the answer is asked for in a wrapping; nil where it is asked for as it is.
    ///
    /// What cannot be read is refused: a secret that was to be wrapped is not shown open.
    static func wrapping(_ fields: HeaderFields) throws(ControlError) -> Duration? {
        guard let name = FieldName("x-vault-wrap-ttl") else { return nil }
        let values = fields.values(name).filter { !["", "0", "0s"].contains($0) }
        guard let text = values.first else { return nil }
        guard values.count == 1, let lifetime = try? GoDuration.parse(text),
            Wrapping.lifetimes.contains(lifetime)
        else {
            throw .invalid(
                "vault.wrapping",
                field: name.text,
                "must be one duration from 1 s to 30 days, such as 60s"
            )
        }
        if let format = FieldName("x-vault-wrap-format"), fields.contains(format) {
            throw .invalid("vault.wrapping", field: format.text, "there is one format only")
        }
        return lifetime
    }

    private static let namespaceFields = ["x-vault-namespace"].compactMap { FieldName($0) }

    private static func isRoot(_ namespace: String) -> Bool {
        ["", "/", "root", "root/"].contains(namespace)
    }
}

extension HeaderFields {
    /// Whether the one `Content-Type` says JSON merge patch (RFC 7396).
    fileprivate var isMergePatch: Bool {
        guard count(of: .contentType) == 1, let text = first(.contentType),
            let type = MediaType(text)
        else { return false }
        return type.type == "application" && type.subtype == "merge-patch+json" && type.isJSON
    }
}
