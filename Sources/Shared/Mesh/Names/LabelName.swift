// Glossary: one word per concept, in every target, table, route and message.
//
//   service     a name that has an identity
//   instance    one running copy of a service, on a loopback port of an agent's host
//   external    where an egress agent reaches a service that no agent hosts
//   agent       the daemon, one per host (an AI agent is a bot)
//   placement   the right of an agent to host a service
//   upstream    a loopback port through which local users reach a destination as a source service
//   intention   may this source reach this destination; its HTTP clauses are permissions
//   precedence  how specific an intention is, 9 (exact to exact) down to 1 (any to any)
//   ruling      what the pure evaluator says about one question
//   decision    a ruling as it happened: when, where, between whom; what evidence is made of
//   snapshot    the signed configuration that one agent enforces
//   revision    the one total order of configuration changes
//   target      a system on which credentials are leased
//   profile     what a leased credential may do
//   lease       a credential with an end
//   policy      rights on the admin API, nothing else
//   capability  one such right on one path

/// Why a text is no name of the mesh.
package enum NameError: Error, Hashable, Sendable {
    case empty
    /// The limit is in bytes.
    case tooLong(limit: Int)
    /// Only `a-z`, `0-9` and `-`, and no `-` at either end.
    case notALabel
    case malformed(String)
}

extension NameError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "must not be empty"
        case .tooLong(let limit): "must be at most \(limit) bytes long"
        case .notALabel:
            "must consist of a-z, 0-9 and '-', and begin and end with a letter or digit"
        case .malformed(let expectation): expectation
        }
    }
}

/// A name that is a single DNS label: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
///
/// The kinds are types of their own so that an agent's name cannot stand where a service's must.
package protocol LabelName: Hashable, Comparable, Sendable, CustomStringConvertible {
    var text: String { get }
    init(_ text: String) throws(NameError)
}

extension LabelName {
    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The rule that all label names share.
package enum DNSLabel {
    /// The longest text that is accepted.
    package static let lengthMaxBytes = 63

    /// Refuses what is no label; says which rule it breaks.
    package static func check(_ text: String) throws(NameError) {
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last else { throw .empty }
        guard bytes.count <= lengthMaxBytes else { throw .tooLong(limit: lengthMaxBytes) }
        guard isLetterOrDigit(first), isLetterOrDigit(last) else { throw .notALabel }
        guard bytes.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }) else {
            throw .notALabel
        }
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}

/// The name of a namespace.
package struct NamespaceName: LabelName {
    /// The text as it is written.
    package let text: String

    /// Refuses what is no DNS label.
    package init(_ text: String) throws(NameError) {
        try DNSLabel.check(text)
        self.text = text
    }

    private init(trusted text: String) { self.text = text }

    /// The namespace of names that are written without one.
    package static let `default` = NamespaceName(trusted: "default")
}

/// The name of a service within its namespace.
package struct ServiceLabel: LabelName {
    /// The text as it is written.
    package let text: String

    /// Refuses what is no DNS label.
    package init(_ text: String) throws(NameError) {
        try DNSLabel.check(text)
        self.text = text
    }
}

/// The name of an agent, one per host.
package struct AgentName: LabelName {
    /// The text as it is written.
    package let text: String

    /// Refuses what is no DNS label.
    package init(_ text: String) throws(NameError) {
        try DNSLabel.check(text)
        self.text = text
    }
}

/// The name of a control plane replica.
package struct ServerName: LabelName {
    /// The text as it is written.
    package let text: String

    /// Refuses what is no DNS label.
    package init(_ text: String) throws(NameError) {
        try DNSLabel.check(text)
        self.text = text
    }
}
