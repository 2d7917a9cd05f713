package import Wire

extension Namespace {
    init(from reader: inout FieldReader, at value: FieldValue) throws(FieldError) {
        self.init(
            name: try reader.required("name").label(),
            description: try reader.optionalString("description") ?? ""
        )
        try value.check(validate)
    }

    /// The namespace in its REST form.
    package var document: Document {
        .fields([
            "name": .string(name.text),
            "description": description.isEmpty ? nil : .string(description),
        ])
    }
}

extension Service {
    init(from reader: inout FieldReader, at value: FieldValue) throws(FieldError) {
        let namespace: NamespaceName = try reader.optional("namespace")?.label() ?? .default
        self.init(
            name: ServiceName(namespace: namespace, name: try reader.required("name").label()),
            applicationProtocol: try reader.optionalChoice(
                "protocol",
                as: ApplicationProtocol.self
            ) ?? .tcp,
            leafLifetime: try reader.optionalDuration(
                "leaf_ttl",
                in: Self.leafLifetimeMin...Self.leafLifetimeMax
            ) ?? Self.leafLifetimeDefault,
            healthCheck: try reader.optionalMap("health_check", HealthCheck.init(from:))
                ?? .standard,
            description: try reader.optionalString("description") ?? "",
            meta: try reader.stringMap("meta")
        )
        try value.check(validate)
    }

    /// The service in its REST form, without what may be nested in it.
    package var document: Document {
        .fields([
            "namespace": .string(name.namespace.text),
            "name": .string(name.name.text),
            "protocol": .string(applicationProtocol.rawValue),
            "leaf_ttl": .duration(leafLifetime),
            "health_check": healthCheck.documentUnlessStandard,
            "description": description.isEmpty ? nil : .string(description),
            "meta": meta.isEmpty ? nil : .map(meta),
        ])
    }
}

extension Placement {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            service: try reader.required("service").serviceName(),
            agent: try reader.required("agent").label()
        )
    }

    /// The placement in its REST form.
    package var document: Document {
        .fields(["service": .string(service.description), "agent": .string(agent.text)])
    }
}

extension Instance {
    /// Whether the address is allowed is for the caller to check: it is a question of rights.
    init(
        from reader: inout FieldReader,
        at value: FieldValue,
        service nestedIn: ServiceName? = nil
    ) throws(FieldError) {
        let service: ServiceName
        if let nestedIn {
            service = nestedIn
        } else {
            service = try reader.required("service").serviceName()
        }
        let port = try reader.required("port").port()
        self.init(
            service: service,
            agent: try reader.required("agent").label(),
            name: try reader.optional("name")?.label() ?? .ofPort(port),
            address: try reader.optional("address")?.address() ?? .loopback,
            port: port,
            weight: try reader.optionalInt("weight", in: 0...Self.weightMax) ?? 1
        )
        let instance = self
        try value.check { () throws(InvalidField) in try instance.validate(allowsOutside: true) }
    }

    /// The instance in its REST form.
    package var document: Document {
        .fields([
            "service": .string(service.description),
            "agent": .string(agent.text),
            "name": .string(name.text),
            "address": .string(address.description),
            "port": .number(port),
            "weight": .number(weight),
        ])
    }
}

extension Upstream {
    init(
        from reader: inout FieldReader,
        at value: FieldValue,
        source nestedIn: ServiceName? = nil
    ) throws(FieldError) {
        let source: ServiceName
        if let nestedIn {
            source = nestedIn
        } else {
            source = try reader.required("source").serviceName()
        }
        self.init(
            agent: try reader.required("agent").label(),
            source: source,
            destination: try reader.required("destination").serviceName(),
            port: try reader.required("port").port(),
            users: try reader.optional("uids").map { uids throws(FieldError) in
                try Users(reading: uids)
            } ?? .only([]),
            traffic: try UpstreamTraffic(from: &reader),
            postgres: try reader.optionalMap("postgres", PostgresAccess.init(from:))
        )
        try value.check(validate)
    }

    /// The upstream in its REST form.
    package var document: Document {
        var document = Document.fields([
            "agent": .string(agent.text),
            "source": .string(source.description),
            "destination": .string(destination.description),
            "port": .number(port),
            "uids": users.document,
        ])
        traffic.add(to: &document)
        if let postgres { document.set("postgres", postgres.document) }
        return document
    }
}

extension Upstream.Users {
    /// Reads `any`, or a list of uids.
    package init(reading value: FieldValue) throws(FieldError) {
        if value.document.text == "any" {
            self = .any
            return
        }
        var users: [UInt32] = []
        for element in try value.list(limit: Upstream.usersMax) {
            users.append(UInt32(clamping: try element.int(in: 0...Int(UInt32.max))))
        }
        self = .only(users.sorted())
    }

    /// `any`, or the list of uids.
    package var document: Document {
        switch self {
        case .any: "any"
        case .only(let users): .list(users.map { .number($0) })
        }
    }
}
