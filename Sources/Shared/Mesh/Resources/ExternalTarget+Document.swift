package import Wire

extension ExternalTarget {
    /// How a target is asked for its proof; the words of the field `tls.mode`.
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        case verify
        case none
    }

    /// Reads a target; `service` stands in for the field of that name where it is nested.
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
        try self.init(
            service: service,
            agent: try reader.required("agent").label(),
            reachedBy: &reader,
            at: value
        )
    }

    /// Reads where a service and an agent, which are known, meet the outside.
    package init(
        service: ServiceName,
        agent: AgentName,
        reachedBy reader: inout FieldReader,
        at value: FieldValue
    ) throws(FieldError) {
        let host = try reader.required("host").outsideHost()
        let port = try reader.required("port").port()
        let (security, negotiation) = try reader.map("tls") { tls throws(FieldError) in
            (
                try Security(from: &tls, host: host),
                try tls.optionalChoice("negotiation", as: Negotiation.self) ?? .direct
            )
        }
        self.init(
            service: service,
            agent: agent,
            host: host,
            port: port,
            security: security,
            negotiation: negotiation,
            allowsLocal: try reader.optionalBool("allow_local") ?? false
        )
        try value.check(validate)
    }

    /// The target in its REST form.
    package var document: Document {
        var document = Document.fields([
            "service": .string(service.description), "agent": .string(agent.text),
        ])
        for entry in reachDocument.entries ?? [] { document.set(entry.key, entry.value) }
        return document
    }

    /// The fields that say where it is, without those that name it.
    package var reachDocument: Document {
        var tls = security.document
        if negotiation != .direct { tls.set("negotiation", .string(negotiation.rawValue)) }
        return .fields([
            "host": .string(host.description),
            "port": .number(port),
            "tls": tls,
            "allow_local": .bool(allowsLocal),
        ])
    }
}

extension ExternalTarget.Security {
    init(from reader: inout FieldReader, host: OutsideHost) throws(FieldError) {
        let mode = try reader.choice("mode", as: ExternalTarget.Mode.self)
        let serverName = reader.optional("server_name")
        let bundle = reader.optional("ca")
        switch mode {
        case .verify:
            guard let bundle else {
                throw reader.value.error(
                    "ca is missing",
                    hint: "give the PEM certificates of the authorities that vouch for the host"
                )
            }
            self = .verified(
                serverName: try serverName?.outsideHost() ?? host,
                authorities: try bundle.certificates()
            )
        case .none:
            if let extra = serverName ?? bundle {
                throw extra.error(
                    "nothing is verified with mode none",
                    hint: "use mode verify, or leave server_name and ca away"
                )
            }
            self = .plain
        }
    }

    var document: Document {
        switch self {
        case .verified(let serverName, let authorities):
            .fields([
                "mode": .string(ExternalTarget.Mode.verify.rawValue),
                "server_name": .string(serverName.description),
                "ca": .string(
                    PEM.encode(authorities.map { PEM.Block(label: "CERTIFICATE", bytes: $0) })
                ),
            ])
        case .plain: .fields(["mode": .string(ExternalTarget.Mode.none.rawValue)])
        }
    }
}

extension FieldValue {
    /// Reads a host outside of the mesh.
    package func outsideHost() throws(FieldError) -> OutsideHost {
        try parsed(as: "a DNS name in lower case, or an address") { text throws(NameError) in
            try OutsideHost(text)
        }
    }

    /// PEM blocks, all of them certificates; whether they read is for those who can tell.
    func certificates() throws(FieldError) -> [[UInt8]] {
        let blocks = try parsed(as: "PEM certificates") { text throws(WireError) in
            try PEM.decode(text, limit: FieldValue.textBytesMax)
        }
        for block in blocks where block.label != "CERTIFICATE" {
            throw error(
                "it holds a \(block.label)",
                hint: "give certificates only: a private key stays where it is"
            )
        }
        return blocks.map(\.bytes)
    }
}
