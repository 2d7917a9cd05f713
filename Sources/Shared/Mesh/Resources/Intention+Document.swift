package import Wire

extension Intention {
    /// Reads a rule in its REST form and checks it; `destination` stands in for the field of
    /// that name where the rule is nested in its destination.
    package init(reading value: FieldValue, destination: ServiceName? = nil) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            try Intention(from: &reader, at: value, destination: destination)
        }
    }

    init(
        from reader: inout FieldReader,
        at value: FieldValue,
        destination nestedIn: ServiceName? = nil
    ) throws(FieldError) {
        let destination: ServicePattern
        if let nestedIn {
            destination = .exact(nestedIn)
        } else {
            destination = try reader.required("destination").servicePattern()
        }
        _ = reader.optional("precedence")
        self.init(
            id: try reader.optional("id")?.parsed(as: "a rule id") { text throws(NameError) in
                try RuleID(text)
            } ?? .unassigned,
            source: try reader.required("source").servicePattern(),
            sourceTrustDomain: try reader.optional("source_trust_domain")?.trustDomain(),
            destination: destination,
            effect: try Effect(from: &reader, at: value),
            description: try reader.optionalString("description") ?? "",
            meta: try reader.stringMap("meta"),
            owner: try reader.optionalString("owner"),
            reason: try reader.optionalString("reason"),
            notBefore: try reader.optionalTimestamp("not_before"),
            notAfter: try reader.optionalTimestamp("not_after"),
            mode: try reader.optionalChoice("mode", as: Mode.self) ?? .enforce
        )
        try value.check(validate)
    }

    /// The rule in its REST form, with the precedence that follows from it.
    package var document: Document {
        var document = Document.fields([
            "id": .string(id.text),
            "source": .string(source.description),
            "source_trust_domain": sourceTrustDomain.map { .string($0.text) },
            "destination": .string(destination.description),
        ])
        switch effect {
        case .action(let verdict):
            document.set("action", .string(verdict.rawValue))
        case .permissions(let permissions):
            document.set("permissions", .list(permissions.map(\.document)))
        }
        document.set("precedence", .number(precedence))
        if !description.isEmpty { document.set("description", .string(description)) }
        if !meta.isEmpty { document.set("meta", .map(meta)) }
        if let owner { document.set("owner", .string(owner)) }
        if let reason { document.set("reason", .string(reason)) }
        if let notBefore { document.set("not_before", .timestamp(notBefore)) }
        if let notAfter { document.set("not_after", .timestamp(notAfter)) }
        if mode != .enforce { document.set("mode", .string(mode.rawValue)) }
        return document
    }
}

extension Intention.Effect {
    /// Reads either `action` or a list of `permissions`, never both and never neither.
    init(from reader: inout FieldReader, at value: FieldValue) throws(FieldError) {
        let action = try reader.optionalChoice("action", as: Verdict.self)
        let permissions = try reader.list(
            "permissions",
            limit: IntentionLimits.permissionsMax
        ) { permission throws(FieldError) in
            try Permission(reading: permission)
        }
        switch (action, permissions.isEmpty) {
        case (let action?, true): self = .action(action)
        case (nil, false): self = .permissions(permissions)
        case (nil, true):
            throw value.error("the rule says nothing", hint: "give an action or permissions")
        case (_?, false):
            throw value.error(
                "both action and permissions are given",
                hint: "keep one of action, permissions"
            )
        }
    }
}
