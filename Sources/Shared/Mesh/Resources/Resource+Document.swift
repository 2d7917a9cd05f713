package import Wire

extension Resource {
    /// Reads a resource of a file: `kind:` and the fields of that kind.
    package init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            let kind = try reader.choice("kind", as: Kind.self)
            return try Resource(kind, from: &reader, at: value)
        }
    }

    /// Reads the fields of a known kind, as the body of a request holds them.
    package init(_ kind: Kind, reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            try Resource(kind, from: &reader, at: value)
        }
    }

    private init(
        _ kind: Kind,
        from reader: inout FieldReader,
        at value: FieldValue
    ) throws(FieldError) {
        switch kind {
        case .namespace: self = .namespace(try Namespace(from: &reader, at: value))
        case .service: self = .service(try ServiceResource(from: &reader, at: value))
        case .placement: self = .placement(try Placement(from: &reader))
        case .instance: self = .instance(try Instance(from: &reader, at: value))
        case .external: self = .external(try ExternalTarget(from: &reader, at: value))
        case .upstream: self = .upstream(try Upstream(from: &reader, at: value))
        case .intention: self = .intention(try Intention(from: &reader, at: value))
        case .policy: self = .policy(try AccessPolicy(from: &reader, at: value))
        }
    }

    /// The fields in their REST form.
    package var document: Document {
        switch self {
        case .namespace(let namespace): namespace.document
        case .service(let resource): resource.document
        case .placement(let placement): placement.document
        case .instance(let instance): instance.document
        case .external(let target): target.document
        case .upstream(let upstream): upstream.document
        case .intention(let intention): intention.document
        case .policy(let policy): policy.document
        }
    }

    /// The resource as a file holds it, `kind` first; what the server sets is left out.
    package var fileDocument: Document {
        let fields = (document.entries ?? []).filter { entry in
            !(kind == .intention && ["id", "precedence"].contains(entry.key))
        }
        let head = Document.Entry(key: "kind", value: .string(kind.rawValue))
        return Document(.map([head] + fields))
    }
}

extension ServiceResource {
    /// The most entries of each nested list.
    package static let nestedMax = 1024

    init(from reader: inout FieldReader, at value: FieldValue) throws(FieldError) {
        let service = try Service(from: &reader, at: value)
        let name = service.name
        self.init(
            service: service,
            placements: try reader.list("placements", limit: Self.nestedMax) {
                element throws(FieldError) in
                Placement(service: name, agent: try element.label())
            },
            instances: try reader.list("instances", limit: Self.nestedMax) {
                element throws(FieldError) in
                try element.map { reader throws(FieldError) in
                    try Instance(from: &reader, at: element, service: name)
                }
            },
            externals: try reader.list("externals", limit: Self.nestedMax) {
                element throws(FieldError) in
                try element.map { reader throws(FieldError) in
                    try ExternalTarget(from: &reader, at: element, service: name)
                }
            },
            upstreams: try reader.list("upstreams", limit: Self.nestedMax) {
                element throws(FieldError) in
                try element.map { reader throws(FieldError) in
                    try Upstream(from: &reader, at: element, source: name)
                }
            },
            intentions: try reader.list("intentions", limit: Self.nestedMax) {
                element throws(FieldError) in
                try Intention(reading: element, destination: name)
            }
        )
        let rules = intentions
        guard Set(rules.map(\.source)).count == rules.count else {
            throw value.error(
                "two nested intentions have the same source",
                hint: "keep one intention for each source"
            )
        }
    }

    /// The service in its REST form, nested lists included where they hold something.
    package var document: Document {
        var document = service.document
        func nest(_ key: String, _ items: [Document], without keys: Set<String>) {
            guard !items.isEmpty else { return }
            document.set(
                key,
                .list(
                    items.map { item in
                        Document(.map((item.entries ?? []).filter { !keys.contains($0.key) }))
                    }
                )
            )
        }
        if !placements.isEmpty {
            document.set("placements", .list(placements.map(\.agent.text)))
        }
        nest("instances", instances.map(\.document), without: ["service"])
        nest("externals", externals.map(\.document), without: ["service"])
        nest("upstreams", upstreams.map(\.document), without: ["source"])
        nest(
            "intentions",
            intentions.map(\.document),
            without: ["destination", "id", "precedence"]
        )
        return document
    }
}
