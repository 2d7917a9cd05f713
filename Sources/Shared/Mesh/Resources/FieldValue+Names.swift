package import Wire

extension FieldValue {
    /// Reads a single DNS label as the kind of name that is asked for.
    package func label<Name: LabelName>(
        as type: Name.Type = Name.self
    ) throws(FieldError) -> Name {
        try parsed(as: "a name of a-z, 0-9 and '-'") { text throws(NameError) in try Name(text) }
    }

    /// Reads `<namespace>/<service>`, or `<service>` in the default namespace.
    package func serviceName() throws(FieldError) -> ServiceName {
        try parsed(as: "<namespace>/<service>") { text throws(NameError) in
            try ServiceName(text)
        }
    }

    /// Reads a service name in which whole parts may be `*`.
    package func servicePattern() throws(FieldError) -> ServicePattern {
        try parsed(as: "<namespace>/<service>, <namespace>/* or *") { text throws(NameError) in
            try ServicePattern(text)
        }
    }

    /// Reads a trust domain.
    package func trustDomain() throws(FieldError) -> TrustDomain {
        try parsed(as: "a trust domain in lower case") { text throws(NameError) in
            try TrustDomain(text)
        }
    }

    /// Reads an IP address.
    package func address() throws(FieldError) -> IPAddress {
        try parsed(as: "an IPv4 or IPv6 address") { text throws(NameError) in
            try IPAddress(text)
        }
    }

    /// Reads a TCP port, 1 to 65535.
    package func port() throws(FieldError) -> UInt16 {
        UInt16(clamping: try int(in: 1...65_535))
    }

    /// Runs a check of a value that was read from here; its error is told by this place.
    package func check(_ body: () throws(InvalidField) -> Void) throws(FieldError) {
        do {
            try body()
        } catch {
            throw FieldError(
                path: error.inside(path).field,
                position: document.position,
                problem: "the value is refused",
                hint: "it \(error.problem)"
            )
        }
    }
}
