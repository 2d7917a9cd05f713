package import Wire

extension LeaseProfile {
    /// How long leases live where a profile says nothing.
    package static let defaultTTL: Duration = .seconds(900)

    /// Reads a profile of a name; what is no field of it is refused.
    package init(
        name: ProfileName,
        from reader: inout FieldReader,
        at value: FieldValue
    ) throws(FieldError) {
        let target = try reader.required("target").targetName()
        let creation = try reader.optional("creation_statements")?
            .strings(limit: Self.statementsMax)
        let revocation = try reader.optional("revocation_statements")?
            .strings(limit: Self.statementsMax)
        let plan: Plan
        if let creation {
            plan = .raw(Raw(creation: creation, revocation: revocation ?? []))
        } else {
            guard revocation == nil else {
                throw value.error(
                    "revocation_statements stand without creation_statements",
                    hint: "name a group_role and leave both away"
                )
            }
            plan = .managed(try Managed(from: &reader))
        }
        let most = try reader.optionalDuration("max_ttl", in: Self.lifetimes)
        let usual = try reader.optionalDuration("default_ttl", in: Self.lifetimes)
        self.init(
            name: name,
            target: target,
            plan: plan,
            defaultTTL: usual ?? min(Self.defaultTTL, most ?? Self.defaultTTL),
            maxTTL: most ?? max(usual ?? .zero, LeaseTerm.systemMax),
            leasesMax: try reader.optionalInt("leases_max", in: LeaseTarget.leasesRange)
                ?? Self.leasesMaxDefault
        )
        try value.check(validate)
    }

    /// The profile in its REST form.
    package var document: Document {
        var document = Document.fields([
            "name": .string(name.text), "target": .string(target.text),
        ])
        switch plan {
        case .managed(let managed):
            for entry in managed.document.entries ?? [] { document.set(entry.key, entry.value) }
        case .raw(let raw):
            document.set("creation_statements", .list(raw.creation))
            document.set("revocation_statements", .list(raw.revocation))
        }
        document.set("default_ttl", .string(DurationText.format(defaultTTL)))
        document.set("max_ttl", .string(DurationText.format(maxTTL)))
        document.set("leases_max", .number(leasesMax))
        return document
    }
}

extension LeaseProfile.Managed {
    init(from reader: inout FieldReader) throws(FieldError) {
        let settings =
            try reader.optional("settings")?
            .stringMap(limit: LeaseProfile.settingsMax) ?? [:]
        self.init(
            groupRole: try reader.string("group_role"),
            ownerRole: try reader.optionalString("owner_role"),
            settings: settings.sorted { $0.key < $1.key }
                .map { LeaseProfile.Setting(name: $0.key, value: $0.value) },
            connectionLimit: try reader.optionalInt(
                "connection_limit",
                in: LeaseProfile.connectionRange
            ) ?? LeaseProfile.connectionLimitDefault
        )
    }

    var document: Document {
        var fields = Document.fields(["group_role": .string(groupRole)])
        if let ownerRole { fields.set("owner_role", .string(ownerRole)) }
        var map = Document.fields([:])
        for setting in settings { map.set(setting.name, .string(setting.value)) }
        fields.set("settings", map)
        fields.set("connection_limit", .number(connectionLimit))
        return fields
    }
}

extension FieldValue {
    /// Reads the name of a target.
    package func targetName() throws(FieldError) -> TargetName {
        try parsed(as: "the name of a target") { text throws(NameError) in try TargetName(text) }
    }

    /// Reads the name of a lease.
    package func leaseID() throws(FieldError) -> LeaseID {
        try parsed(as: "the id of a lease") { text throws(NameError) in try LeaseID(text) }
    }

    /// Reads the name of a profile.
    package func profileName() throws(FieldError) -> ProfileName {
        try parsed(as: "the name of a profile") { text throws(NameError) in try ProfileName(text) }
    }
}
