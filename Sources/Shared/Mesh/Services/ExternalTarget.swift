/// Where an egress agent reaches a service that no agent hosts.
///
/// It belongs to a placement: only the agent that is named answers for the service, enforces its
/// intentions and connects outward. Clients see a service like any other.
package struct ExternalTarget: Hashable, Sendable {
    /// The most certificates of one bundle.
    package static let authoritiesMax = 32
    /// The most bytes of all certificates of one bundle.
    package static let authoritiesMaxBytes = 40 << 10

    /// The most targets of one agent, so that the section that names them stays readable.
    package static let perAgentMax = 128

    /// How the outside proves who it is.
    package enum Security: Hashable, Sendable {
        /// TLS 1.2 or later, with a path to one of the authorities (DER) and this name.
        case verified(serverName: OutsideHost, authorities: [[UInt8]])
        /// Plain TCP; written out, never a default.
        case plain
    }

    /// How TLS begins there.
    package enum Negotiation: String, Hashable, Sendable, CaseIterable {
        /// With the first byte.
        case direct
        /// After PostgreSQL's SSLRequest (PostgreSQL's protocol, section 55.2.10).
        case postgresql
    }

    /// The service that is reached there.
    package var service: ServiceName
    /// The agent that connects outward.
    package var agent: AgentName
    /// The name or address that it connects to.
    package var host: OutsideHost
    /// The port there.
    package var port: UInt16
    /// How the outside proves who it is.
    package var security: Security
    /// How TLS begins there, where it is spoken.
    package var negotiation: Negotiation
    /// Whether addresses count that only the agent's own host or link knows.
    package var allowsLocal: Bool

    package init(
        service: ServiceName,
        agent: AgentName,
        host: OutsideHost,
        port: UInt16,
        security: Security,
        negotiation: Negotiation = .direct,
        allowsLocal: Bool = false
    ) {
        self.service = service
        self.agent = agent
        self.host = host
        self.port = port
        self.security = security
        self.negotiation = negotiation
        self.allowsLocal = allowsLocal
    }

    /// The placement that it belongs to.
    package var placement: Placement { Placement(service: service, agent: agent) }

    /// Whether the agent may connect to an address that it was given, or that the name gave.
    ///
    /// Asked again after each resolution: a name of the outside must not lead back to the host.
    package func admits(_ address: IPAddress) -> Bool {
        switch address.reach {
        case .nowhere: false
        case .local: allowsLocal
        case .outside: true
        }
    }

    /// Checks ranges and the host; the error names the field.
    package func validate() throws(InvalidField) {
        guard port != 0 else { throw InvalidField("port", .outOfRange(least: 1, most: 65_535)) }
        switch host {
        case .address(let address) where !admits(address):
            throw InvalidField(
                "host",
                .wrong(
                    address.reach == .nowhere
                        ? "must be the address of one host"
                        : "leads to the agent's own host or link; set allow_local to mean that"
                )
            )
        case .name(let name) where !allowsLocal && name.isLocalByName:
            throw InvalidField(
                "host",
                .wrong("leads to the agent's own host; set allow_local to mean that")
            )
        case .address, .name: break
        }
        guard case .verified(_, let authorities) = security else {
            guard negotiation == .direct else {
                throw InvalidField("tls.negotiation", .wrong("is for mode verify"))
            }
            return
        }
        guard !authorities.isEmpty else {
            throw InvalidField("tls.ca", .wrong("must hold at least one certificate"))
        }
        guard authorities.count <= Self.authoritiesMax else {
            throw InvalidField("tls.ca", .tooMany(limit: Self.authoritiesMax))
        }
        guard authorities.reduce(0, { $0 + $1.count }) <= Self.authoritiesMaxBytes else {
            throw InvalidField("tls.ca", .tooLong(limitBytes: Self.authoritiesMaxBytes))
        }
        guard Set(authorities).count == authorities.count else {
            throw InvalidField("tls.ca", .duplicate)
        }
    }
}

/// A host outside of the mesh, by name or by address.
package enum OutsideHost: Hashable, Sendable, CustomStringConvertible {
    case name(HostName)
    case address(IPAddress)

    /// Reads a DNS name in lower case or an address.
    package init(_ text: String) throws(NameError) {
        if let address = try? IPAddress(text) {
            self = .address(address)
        } else {
            self = .name(try HostName(text))
        }
    }

    package var description: String {
        switch self {
        case .name(let name): name.text
        case .address(let address): address.description
        }
    }
}

/// A DNS name as certificates and resolvers know it: labels in lower case, without a last dot.
package struct HostName: Hashable, Sendable {
    /// The longest name (RFC 1035 section 2.3.4), without its last dot.
    package static let lengthMaxBytes = 253

    /// The text as it is written.
    package let text: String

    /// Refuses what resolvers might take for an address, such as `127.1` or `0x7f000001`: the last
    /// label begins with a letter and is no hexadecimal number.
    package init(_ text: String) throws(NameError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.lengthMaxBytes else {
            throw .tooLong(limit: Self.lengthMaxBytes)
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        for label in labels { try Self.check(label) }
        guard let first = labels.last?.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first
        else { throw .malformed("must be a DNS name whose last part begins with a letter") }
        self.text = text
    }

    /// Whether the name stands for the host itself (RFC 6761 section 6.3).
    var isLocalByName: Bool { text == "localhost" || text.hasSuffix(".localhost") }

    /// As a DNS label; an underscore, which some providers' names hold, is accepted too.
    private static func check(_ label: Substring) throws(NameError) {
        let bytes = label.utf8
        guard let first = bytes.first, let last = bytes.last,
            bytes.count <= DNSLabel.lengthMaxBytes,
            DNSLabel.isLetterOrDigit(first) || first == UInt8(ascii: "_"),
            DNSLabel.isLetterOrDigit(last),
            bytes.allSatisfy({
                DNSLabel.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            })
        else {
            throw .malformed(
                "must be a DNS name in lower case, such as db.example.com, or an address"
            )
        }
    }
}
