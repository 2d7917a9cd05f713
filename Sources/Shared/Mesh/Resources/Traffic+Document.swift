package import Wire

extension HealthCheck {
    /// Reads a check; what is left out is as usual.
    package init(from reader: inout FieldReader) throws(FieldError) {
        let standard = Self.standard
        self.init(
            kind: try reader.optionalChoice("type", as: Kind.self) ?? standard.kind,
            interval: try reader.optionalDuration("interval", in: Self.intervalRange)
                ?? standard.interval,
            timeout: try reader.optionalDuration("timeout", in: Self.timeoutRange)
                ?? standard.timeout,
            successes: try reader.optionalInt("successes", in: 1...Self.thresholdMax)
                ?? standard.successes,
            failures: try reader.optionalInt("failures", in: 1...Self.thresholdMax)
                ?? standard.failures
        )
    }

    /// The check in its REST form.
    package var document: Document {
        .fields([
            "type": .string(kind.rawValue),
            "interval": .duration(interval),
            "timeout": .duration(timeout),
            "successes": .number(successes),
            "failures": .number(failures),
        ])
    }

    /// The check in its REST form, or nothing if it is the usual one: older agents, whose decoder
    /// knows no such field, then read what they always did.
    package var documentUnlessStandard: Document? {
        guard self != .standard else { return .none }
        return document
    }
}

extension UpstreamTraffic {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            balance: try reader.optionalChoice("balance", as: Balance.self) ?? .leastRequest,
            connectionsMax: try reader.optionalInt("connections_max", in: 1...Self.limitMax),
            pendingMax: try reader.optionalInt("pending_max", in: 1...Self.limitMax)
        )
    }

    /// The fields that differ from what is usual, among those of the upstream.
    func add(to document: inout Document) {
        if balance != .leastRequest { document.set("balance", .string(balance.rawValue)) }
        if let connectionsMax { document.set("connections_max", .number(connectionsMax)) }
        if let pendingMax { document.set("pending_max", .number(pendingMax)) }
    }
}
