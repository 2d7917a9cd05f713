package import HTTP
package import Wire

/// What an operation of Vault's surface answers; the envelope around it is made here.
package struct VaultReply: Sendable {
    /// A credential with an end.
    package struct Lease: Equatable, Sendable {
        /// Such as `database/creds/reports/…`; empty where the end is a token's.
        package let id: String
        package let seconds: Int64
        package let isRenewable: Bool

        package init(id: String, seconds: Int64, isRenewable: Bool) {
            self.id = id
            self.seconds = seconds
            self.isRenewable = isRenewable
        }
    }

    /// How the body is put together.
    private enum Form: Sendable {
        /// No body at all.
        case nothing
        /// The envelope with all of its keys.
        case envelope
        /// The fields alone, as `sys/health` and its siblings answer.
        case bare
        /// Why it was refused, with the data that some refusals have.
        case refusal([String])
    }

    private let form: Form
    package var status: HTTP.Status
    package var data: Document?
    package var auth: Document?
    package var lease: Lease?
    /// In the place of an answer that was wrapped.
    package var wrapInfo: Document?
    /// What was done otherwise than asked, for people.
    package var warnings: [String] = []
    /// What kind of mount answers, such as `kv` or `token`.
    package var mountType = ""
    /// Whether the fields of `data` stand at the top as well, as some reads of `sys/` have them.
    package var repeatsAtTop = false

    private init(_ form: Form, _ status: HTTP.Status, _ data: Document? = nil) {
        self.form = form
        self.status = status
        self.data = data
    }

    /// 204 without a body.
    package static var nothing: VaultReply { VaultReply(.nothing, .noContent) }

    /// 200 with the envelope around some data.
    package static func data(_ data: Document?, mountType: String) -> VaultReply {
        var reply = VaultReply(.envelope, .ok, data)
        reply.mountType = mountType
        return reply
    }

    /// 200 with `data.keys`; an empty list is 404 as Vault answers it.
    package static func keys(_ keys: [String], mountType: String) -> VaultReply {
        guard !keys.isEmpty else { return .refusal(.notFound, []) }
        return .data(.fields(["keys": .list(keys)]), mountType: mountType)
    }

    /// Fields without the envelope.
    package static func bare(_ fields: Document, status: HTTP.Status = .ok) -> VaultReply {
        VaultReply(.bare, status, fields)
    }

    /// A refusal that is no `ControlError`, perhaps with data.
    package static func refusal(
        _ status: HTTP.Status,
        _ errors: [String],
        data: Document? = nil
    ) -> VaultReply {
        VaultReply(.refusal(errors), status, data)
    }

    /// The whole answer to one request.
    package func answer(requestID: String) -> Answer {
        switch form {
        case .nothing: return Answer(.null, status: status)
        case .bare: return Answer(data ?? .fields([:]), status: status)
        case .envelope: return Answer(envelope(requestID), status: status)
        case .refusal(let errors):
            guard data != nil else {
                return Answer(
                    VaultRefusal.body(errors, code: nil, requestID: requestID),
                    status: status
                )
            }
            // A deleted version: the envelope says when, the status that there is nothing.
            return Answer(envelope(requestID), status: status)
        }
    }

    private func envelope(_ requestID: String) -> Document {
        var body = Document.fields([
            "request_id": .string(requestID),
            "lease_id": .string(lease?.id ?? ""),
            "renewable": .bool(lease?.isRenewable ?? false),
            "lease_duration": .number(lease?.seconds ?? 0),
            "data": data ?? .null,
            "wrap_info": wrapInfo ?? .null,
            "warnings": warnings.isEmpty ? .null : .list(warnings),
            "auth": auth ?? .null,
            "mount_type": .string(mountType),
        ])
        guard repeatsAtTop else { return body }
        for entry in data?.entries ?? [] where body[entry.key] == nil {
            body.set(entry.key, entry.value)
        }
        return body
    }
}
