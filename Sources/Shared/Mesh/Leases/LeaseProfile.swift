/// What a leased role may do, for how long, and how it ends.
package struct LeaseProfile: Hashable, Sendable {
    /// The most leases that live with one profile at a time, where it says nothing else.
    package static let leasesMaxDefault = 500
    /// What a role may do where it says nothing else: connections at a time.
    package static let connectionLimitDefault = 10
    package static let connectionRange = 1...1_000
    /// The most settings of a role.
    package static let settingsMax = 32
    /// The most raw statements of one kind, and bytes of each.
    package static let statementsMax = 32
    package static let statementBytesMax = 16 << 10
    package static let lifetimes: ClosedRange<Duration> = LeaseTerm.least...LeaseTerm.systemMax

    /// How roles are made and ended.
    package enum Plan: Hashable, Sendable {
        case managed(Managed)
        /// What an administrator wrote; made for clients that know nothing else.
        case raw(Raw)
    }

    /// Membership in a group, and nothing else: rights are granted to the group, never to a leased
    /// role, so that a thousand leases cost a table's row of rights nothing.
    package struct Managed: Hashable, Sendable {
        package var groupRole: String
        /// Who owns afterwards what leased roles made; the group if nil.
        package var ownerRole: String?
        /// Settings of the role's sessions, such as `statement_timeout`.
        package var settings: [Setting]
        package var connectionLimit: Int

        package init(
            groupRole: String,
            ownerRole: String? = nil,
            settings: [Setting] = [],
            connectionLimit: Int = connectionLimitDefault
        ) {
            self.groupRole = groupRole
            self.ownerRole = ownerRole
            self.settings = settings
            self.connectionLimit = connectionLimit
        }

        /// Who owns afterwards what leased roles made.
        package var heir: String { ownerRole ?? groupRole }
    }

    /// One setting of a role.
    package struct Setting: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Statements with `{{name}}`, `{{password}}` and `{{expiration}}`; the password is a SCRAM
    /// verifier.
    package struct Raw: Hashable, Sendable {
        package var creation: [String]
        package var revocation: [String]

        package init(creation: [String], revocation: [String] = []) {
            self.creation = creation
            self.revocation = revocation
        }
    }

    package var name: ProfileName
    package var target: TargetName
    package var plan: Plan
    package var defaultTTL: Duration
    package var maxTTL: Duration
    package var leasesMax: Int

    package init(
        name: ProfileName,
        target: TargetName,
        plan: Plan,
        defaultTTL: Duration,
        maxTTL: Duration,
        leasesMax: Int = leasesMaxDefault
    ) {
        self.name = name
        self.target = target
        self.plan = plan
        self.defaultTTL = defaultTTL
        self.maxTTL = maxTTL
        self.leasesMax = leasesMax
    }

    /// Checks what does not depend on anything else; the error names the field.
    package func validate() throws(InvalidField) {
        guard Self.lifetimes.contains(maxTTL) else {
            throw InvalidField("max_ttl", .wrong("must lie between 5s and 1h"))
        }
        guard Self.lifetimes.contains(defaultTTL), defaultTTL <= maxTTL else {
            throw InvalidField("default_ttl", .wrong("must lie between 5s and max_ttl"))
        }
        guard LeaseTarget.leasesRange.contains(leasesMax) else {
            throw InvalidField("leases_max", .outOfRange(least: 1, most: 100_000))
        }
        switch plan {
        case .managed(let managed): try Self.check(managed)
        case .raw(let raw): try Self.check(raw)
        }
    }

    private static func check(_ managed: Managed) throws(InvalidField) {
        for (field, role) in [("group_role", managed.groupRole), ("owner_role", managed.heir)] {
            guard LeaseTarget.identifierBytes.contains(role.utf8.count) else {
                throw InvalidField(field, .wrong("must be 1 to 63 bytes long"))
            }
            guard !role.hasPrefix("pg_"), !role.hasPrefix(LeasedRole.prefix) else {
                throw InvalidField(
                    field,
                    .wrong("must be a role of your own: neither pg_* nor a leased one")
                )
            }
        }
        guard connectionRange.contains(managed.connectionLimit) else {
            throw InvalidField("connection_limit", .outOfRange(least: 1, most: 1_000))
        }
        guard managed.settings.count <= settingsMax else {
            throw InvalidField("settings", .tooMany(limit: settingsMax))
        }
        for setting in managed.settings {
            guard isSettable(setting.name), setting.value.utf8.count <= 256 else {
                throw InvalidField(
                    "settings.\(setting.name)",
                    .wrong(
                        "must be a setting of sessions such as statement_timeout, with its value"
                    )
                )
            }
        }
    }

    /// A plain name; what changes who the session is cannot be set.
    private static func isSettable(_ name: String) -> Bool {
        let bytes = name.utf8
        guard 1...63 ~= bytes.count, !["role", "session_authorization"].contains(name) else {
            return false
        }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x5F, 0x61...0x7A, 0x2E: true
            default: false
            }
        }
    }

    private static func check(_ raw: Raw) throws(InvalidField) {
        guard !raw.creation.isEmpty else { throw InvalidField("creation_statements", .missing) }
        for (field, statements) in [
            ("creation_statements", raw.creation), ("revocation_statements", raw.revocation),
        ] {
            guard statements.count <= statementsMax else {
                throw InvalidField(field, .tooMany(limit: statementsMax))
            }
            for statement in statements {
                guard statement.utf8.count <= statementBytesMax else {
                    throw InvalidField(field, .tooLong(limitBytes: statementBytesMax))
                }
                guard StatementTemplate(statement) != nil else {
                    throw InvalidField(
                        field,
                        .wrong(
                            "must name only {{name}}, {{username}}, {{password}} or {{expiration}}"
                        )
                    )
                }
            }
        }
        guard raw.creation.contains(where: { StatementTemplate($0)?.namesRole == true }) else {
            throw InvalidField("creation_statements", .wrong("must name {{name}}"))
        }
    }
}
