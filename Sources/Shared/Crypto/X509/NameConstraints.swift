/// The name constraints extension (RFC 5280 §4.2.1.10), each base checked and taken apart once.
struct NameConstraints: Sendable {
    private let permitted: [ConstrainedForm: [GeneralSubtree]]
    private let excluded: [ConstrainedForm: [GeneralSubtree]]

    init(_ element: DERElement) throws(DERError) {
        var reader = DERReader(element)
        let permitted = try reader.nextIf(DERTag.constructed(0))
        let excluded = try reader.nextIf(DERTag.constructed(1))
        try reader.finish()
        guard permitted != nil || excluded != nil else {
            throw DERError(element.offset, "the name constraints are empty")
        }
        self.permitted = try Self.bases(permitted)
        self.excluded = try Self.bases(excluded)
    }

    private static func bases(
        _ element: DERElement?
    ) throws(DERError) -> [ConstrainedForm: [GeneralSubtree]] {
        guard let element else { return [:] }
        var reader = DERReader(element)
        var bases: [ConstrainedForm: [GeneralSubtree]] = [:]
        var count = 0
        repeat {
            // The minimum has a default and the maximum must be absent, so only the base is left.
            var subtree = DERReader(try reader.next(DERTag.sequence))
            let name = try GeneralName(&subtree)
            try subtree.finish()
            count += 1
            guard count <= GeneralName.namesMax, let base = GeneralSubtree(name) else {
                throw DERError(element.offset, "a name constraint is malformed")
            }
            bases[ConstrainedForm(name), default: []].append(base)
        } while !reader.isAtEnd
        return bases
    }

    /// Whether every name of `certificate` is allowed; each comparison costs one of `budget`.
    func allow(_ certificate: Certificate, budget: inout Int) -> Bool {
        var names = certificate.subjectAlternativeNames
        if !certificate.subject.isEmpty { names.append(.directory(certificate.subject)) }
        for email in certificate.subject.emails {
            names.append(.email(String(decoding: email, as: UTF8.self)))
        }
        return names.allSatisfy { allow($0, budget: &budget) }
    }

    private func allow(_ name: GeneralName, budget: inout Int) -> Bool {
        let form = ConstrainedForm(name)
        let excluded = excluded[form] ?? []
        let permitted = permitted[form] ?? []
        guard !excluded.isEmpty || !permitted.isEmpty else { return true }
        budget -= excluded.count + permitted.count
        // What cannot be read counts as outside what is permitted and inside what is excluded.
        guard budget > 0, let name = ConstrainedName(name) else { return false }
        if excluded.contains(where: { $0.contains(name) || $0.isCovered(by: name) }) {
            return false
        }
        return permitted.isEmpty || permitted.contains { $0.contains(name) }
    }
}

/// A form of names: a base says something about the names of its own form only.
private enum ConstrainedForm: Hashable {
    case email
    case dns
    case uri
    case ip
    case directory
    case other(tag: UInt8)

    init(_ name: GeneralName) {
        self =
            switch name {
            case .email: .email
            case .dns: .dns
            case .uri: .uri
            case .ip: .ip
            case .directory: .directory
            case .other(let tag): .other(tag: tag)
            }
    }
}

/// A name of a certificate as bases compare with it, hosts in lower case.
private enum ConstrainedName {
    case host([UInt8])
    /// Every name with one label more than this one.
    case wildcard([UInt8])
    case mailbox(local: String, host: [UInt8])
    case ip([UInt8])
    case directory(DistinguishedName)

    /// nil when the name cannot be read, or its form is not understood.
    init?(_ name: GeneralName) {
        switch name {
        case .dns(let text):
            guard DNSName.isWellFormedPresented(text) else { return nil }
            let name = DNSName.folded(DNSName.withoutWildcard(text))
            self = text.hasPrefix("*.") ? .wildcard(name) : .host(name)
        case .uri(let text):
            guard let host = URIHost.host(of: text), DNSName.isWellFormed(host) else { return nil }
            self = .host(DNSName.folded(host))
        case .email(let text):
            guard let mailbox = Mailbox(text) else { return nil }
            self = .mailbox(local: mailbox.local, host: DNSName.folded(mailbox.host))
        case .ip(let bytes): self = .ip(bytes)
        case .directory(let name): self = .directory(name)
        case .other: return nil
        }
    }
}

/// One base of name constraints, ready to be compared with names of its form.
private enum GeneralSubtree: Sendable {
    /// That host alone.
    case host([UInt8])
    /// All hosts below, the host itself left out.
    case hostsBelow([UInt8])
    /// The host and all below it; everything, when it is empty.
    case tree([UInt8])
    case mailbox(local: String, host: [UInt8])
    case network(address: [UInt8], mask: [UInt8])
    case directory(DistinguishedName)
    /// A form that is not understood, so that no name of it can be allowed.
    case unknown

    /// nil when the base is malformed.
    init?(_ base: GeneralName) {
        switch base {
        case .dns(let text):
            // A leading period is a widespread misreading of the rule for URIs.
            guard text.isEmpty || DNSName.isWellFormed(text) else { return nil }
            self = .tree(DNSName.folded(text))
        case .uri(let text):
            self.init(hosts: text)
        case .email(let text):
            guard text.contains("@") else {
                self.init(hosts: text)
                return
            }
            guard let mailbox = Mailbox(text) else { return nil }
            self = .mailbox(local: mailbox.local, host: DNSName.folded(mailbox.host))
        case .ip(let bytes):
            let half = bytes.count / 2
            guard bytes.count == 8 || bytes.count == 32, Self.isContiguous(bytes[half...]) else {
                return nil
            }
            self = .network(address: Array(bytes[..<half]), mask: Array(bytes[half...]))
        case .directory(let name): self = .directory(name)
        case .other: self = .unknown
        }
    }

    private init?(hosts text: String) {
        let isDomain = text.hasPrefix(".")
        let host = isDomain ? String(text.dropFirst()) : text
        guard DNSName.isWellFormed(host) else { return nil }
        self = isDomain ? .hostsBelow(DNSName.folded(host)) : .host(DNSName.folded(host))
    }

    /// Ones, then zeros: what CIDR can express.
    private static func isContiguous(_ mask: ArraySlice<UInt8>) -> Bool {
        var hasEnded = false
        for byte in mask {
            if hasEnded ? byte != 0 : (~byte & (~byte &+ 1)) != 0 { return false }
            if byte != 0xFF { hasEnded = true }
        }
        return true
    }

    /// Whether all that `name` stands for lies in this subtree.
    func contains(_ name: ConstrainedName) -> Bool {
        switch (self, name) {
        case (.tree(let base), .host(let host)): DNSName.isWithin(host, base)
        // Every name that a wildcard stands for must lie within, so its parent must.
        case (.tree(let base), .wildcard(let parent)): DNSName.isWithin(parent, base)
        case (.host(let base), .host(let host)): host == base
        case (.host(let base), .mailbox(_, let host)): host == base
        case (.hostsBelow(let base), .host(let host)):
            host.count > base.count && DNSName.isWithin(host, base)
        case (.hostsBelow(let base), .mailbox(_, let host)):
            host.count > base.count && DNSName.isWithin(host, base)
        case (.mailbox(let oneLocal, let oneHost), .mailbox(let local, let host)):
            oneLocal == local && oneHost == host
        case (.network(let address, let mask), .ip(let bytes)):
            bytes.count == address.count
                && bytes.indices.allSatisfy { (address[$0] ^ bytes[$0]) & mask[$0] == 0 }
        case (.directory(let base), .directory(let name)): name.isWithin(base)
        case (.tree, _), (.host, _), (.hostsBelow, _), (.mailbox, _), (.network, _),
            (.directory, _),
            (.unknown, _):
            false
        }
    }

    /// Whether `name` is a wildcard that could stand for the base itself.
    func isCovered(by name: ConstrainedName) -> Bool {
        guard case .tree(let base) = self, case .wildcard(let parent) = name else { return false }
        return base.drop(while: { $0 != 0x2E }).dropFirst().elementsEqual(parent)
    }
}
