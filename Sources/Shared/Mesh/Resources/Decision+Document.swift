package import Wire

extension Decision {
    /// Reads a decision as evidence holds it.
    package init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            id: try reader.required("id").parsed(as: "a UUIDv7") { text throws(WireError) in
                try UUIDv7(parsing: text)
            },
            time: try reader.timestamp("time"),
            agent: try reader.required("agent").label(),
            source: try reader.optional("source")?.spiffeID(),
            destination: try reader.optional("destination")?.serviceName(),
            ruling: Ruling(
                verdict: try reader.choice("verdict", as: Verdict.self),
                reason: try reader.choice("reason", as: DecisionReason.self),
                ruleID: try reader.optional("rule")?.ruleID(),
                precedence: try reader.optionalInt("precedence", in: 1...9),
                permissionIndex: try reader.optionalInt(
                    "permission",
                    in: 0...IntentionLimits.permissionsMax
                )
            ),
            canonicalPath: try reader.optionalString(
                "path",
                bytes: 1...PathCanonicalizer.pathMaxBytes
            ),
            revision: UInt64(try reader.int("revision", in: 0...Int.max)),
            peerAddress: try reader.optionalString("peer", bytes: 1...64)
        )
    }

    /// The decision as evidence holds it.
    package var document: Document {
        .fields([
            "id": .string(id.description),
            "time": .timestamp(time),
            "agent": .string(agent.text),
            "source": source.map { .string($0.description) },
            "destination": destination.map { .string($0.description) },
            "verdict": .string(verdict.rawValue),
            "reason": .string(reason.rawValue),
            "rule": ruling.ruleID.map { .string($0.text) },
            "precedence": ruling.precedence.map { .number($0) },
            "permission": ruling.permissionIndex.map { .number($0) },
            "path": canonicalPath.map { .string($0) },
            "revision": .number(revision),
            "peer": peerAddress.map { .string($0) },
        ])
    }
}

extension Flow {
    /// Reads a flow as evidence holds it.
    package init(from reader: inout FieldReader) throws(FieldError) {
        func count(_ name: String) throws(FieldError) -> UInt64 {
            UInt64(try reader.int(name, in: 0...Int.max))
        }
        self.init(
            minute: try reader.timestamp("minute"),
            source: try reader.required("source").spiffeID(),
            destination: try reader.required("destination").serviceName(),
            ruleID: try reader.optional("rule")?.ruleID(),
            opened: try count("opened"),
            closed: try count("closed"),
            bytesSent: try count("bytes_sent"),
            bytesReceived: try count("bytes_received")
        )
    }

    /// The flow as evidence holds it.
    package var document: Document {
        .fields([
            "minute": .timestamp(minute),
            "source": .string(source.description),
            "destination": .string(destination.description),
            "rule": ruleID.map { .string($0.text) },
            "opened": .number(opened),
            "closed": .number(closed),
            "bytes_sent": .number(bytesSent),
            "bytes_received": .number(bytesReceived),
        ])
    }
}

extension FieldValue {
    /// Reads a SPIFFE id.
    package func spiffeID() throws(FieldError) -> SPIFFEID {
        try parsed(as: "a SPIFFE id") { text throws(SPIFFEIDError) in try SPIFFEID(text) }
    }

    /// Reads the id of a rule.
    package func ruleID() throws(FieldError) -> RuleID {
        try parsed(as: "a rule id") { text throws(NameError) in try RuleID(text) }
    }
}
