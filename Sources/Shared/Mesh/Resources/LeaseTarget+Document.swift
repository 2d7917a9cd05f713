package import Wire

extension LeaseTarget {
    /// Reads a target of a name; what is no field of it is refused.
    package init(
        name: TargetName,
        from reader: inout FieldReader,
        at value: FieldValue
    ) throws(FieldError) {
        let host = try reader.required("host")
        let port = try reader.optional("port")?.port() ?? 5_432
        let text = try host.string()
        let place: Place =
            text.hasPrefix("/")
            ? .socket(directory: text, port: port)
            : .host(try host.outsideHost(), port: port)
        let security = try reader.optionalMap("tls") { tls throws(FieldError) in
            try Security(from: &tls)
        }
        self.init(
            name: name,
            place: place,
            security: security ?? .plain,
            database: try reader.string("database"),
            user: try reader.string("username"),
            rotationUser: try reader.optionalString(
                "rotation_username",
                bytes: Self.identifierBytes
            ),
            allowedProfiles: try reader.optional("allowed_profiles")?
                .strings(limit: Self.globsMax) ?? ["*"],
            leasesMax: try reader.optionalInt("leases_max", in: Self.leasesRange)
                ?? Self.leasesMaxDefault
        )
        try value.check(validate)
    }

    /// The target in its REST form; its password is no part of it.
    package var document: Document {
        let (host, port): (String, UInt16) =
            switch place {
            case .host(let host, let port): (host.description, port)
            case .socket(let directory, let port): (directory, port)
            }
        return .fields([
            "name": .string(name.text),
            "host": .string(host),
            "port": .number(port),
            "tls": security.document,
            "database": .string(database),
            "username": .string(user),
            "rotation_username": rotationUser.map { .string($0) },
            "allowed_profiles": .list(allowedProfiles),
            "leases_max": .number(leasesMax),
        ])
    }
}

extension LeaseTarget.Security {
    /// Verified by the authorities of a PEM text; an error names `field`.
    package static func verified(pem: String, field: String) throws(FieldError) -> Self {
        .verified(authorities: try FieldValue(.string(pem), path: field).certificates())
    }

    /// The authorities as PEM; nil where nothing is verified.
    package var pem: String? {
        guard case .verified(let authorities) = self else { return nil }
        return PEM.encode(authorities.map { PEM.Block(label: "CERTIFICATE", bytes: $0) })
    }

    private enum Mode: String, CaseIterable {
        case verify
        case none
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        let mode = try reader.choice("mode", as: Mode.self)
        let bundle = reader.optional("ca")
        switch (mode, bundle) {
        case (.verify, let bundle?): self = .verified(authorities: try bundle.certificates())
        case (.verify, nil):
            throw reader.value.error(
                "ca is missing",
                hint: "give the PEM certificates of the authorities that vouch for the host"
            )
        case (.none, let extra?):
            throw extra.error("nothing is verified with mode none", hint: "leave ca away")
        case (.none, nil): self = .plain
        }
    }

    var document: Document {
        guard let pem else { return .fields(["mode": .string(Mode.none.rawValue)]) }
        return .fields(["mode": .string(Mode.verify.rawValue), "ca": .string(pem)])
    }
}
