/// The name constraints extension (RFC 5280 §4.2.1.10), each base checked for its own form.
struct NameConstraints: Sendable {
    private let permitted: [GeneralName]
    private let excluded: [GeneralName]
    private let permittedDNS: [[UInt8]]
    private let excludedDNS: [[UInt8]]

    init(_ element: DERElement) throws(DERError) {
        var reader = DERReader(element)
        let permitted = try reader.nextIf(DERTag.constructed(0))
        let excluded = try reader.nextIf(DERTag.constructed(1))
        try reader.finish()
        guard permitted != nil || excluded != nil else {
            throw DERError(element.offset, "the name constraints are empty")
        }
        let bases = (
            permitted: try permitted.map { (list) throws(DERError) in try Self.bases(list) } ?? [],
            excluded: try excluded.map { (list) throws(DERError) in try Self.bases(list) } ?? []
        )
        self.permitted = bases.permitted
        self.excluded = bases.excluded
        permittedDNS = bases.permitted.compactMap(\.foldedDNS)
        excludedDNS = bases.excluded.compactMap(\.foldedDNS)
    }

    private static func bases(_ element: DERElement) throws(DERError) -> [GeneralName] {
        var reader = DERReader(element)
        var bases: [GeneralName] = []
        repeat {
            // The minimum has a default and the maximum must be absent, so only the base is left.
            var subtree = DERReader(try reader.next(DERTag.sequence))
            let base = try GeneralName(&subtree)
            try subtree.finish()
            guard bases.count < GeneralName.namesMax, isWellFormed(base) else {
                throw DERError(element.offset, "a name constraint is malformed")
            }
            bases.append(base)
        } while !reader.isAtEnd
        return bases
    }

    private static func isWellFormed(_ base: GeneralName) -> Bool {
        switch base {
        case .dns(let text):
            // A leading period is a widespread misreading of the rule for URIs.
            text.isEmpty || DNSName.isWellFormed(text)
        case .uri(let text):
            DNSName.isWellFormed(text.hasPrefix(".") ? String(text.dropFirst()) : text)
        case .email(let text):
            text.contains("@")
                ? Mailbox(text) != nil
                : DNSName.isWellFormed(text.hasPrefix(".") ? String(text.dropFirst()) : text)
        case .ip(let bytes):
            (bytes.count == 8 || bytes.count == 32) && isContiguous(bytes.suffix(bytes.count / 2))
        case .directory, .other:
            true
        }
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
        if case .dns(let text) = name { return allow(dns: text, budget: &budget) }
        for base in excluded where base.hasForm(of: name) {
            budget -= 1
            guard budget > 0, Subtree(base).excludes(name) == false else { return false }
        }
        var isConstrained = false
        for base in permitted where base.hasForm(of: name) {
            budget -= 1
            guard budget > 0 else { return false }
            if Subtree(base).permits(name) { return true }
            isConstrained = true
        }
        return !isConstrained
    }

    /// The form that occurs by the thousand: folded once, then compared by bytes.
    private func allow(dns text: String, budget: inout Int) -> Bool {
        guard !permittedDNS.isEmpty || !excludedDNS.isEmpty else { return true }
        guard DNSName.isWellFormedPresented(text) else { return false }
        let isWildcard = text.hasPrefix("*.")
        let name = DNSName.folded(DNSName.withoutWildcard(text))
        budget -= permittedDNS.count + excludedDNS.count
        guard budget > 0 else { return false }
        for base in excludedDNS {
            if DNSName.isWithin(name, base) { return false }
            // A wildcard that could stand for the base itself is taken as if it did.
            if isWildcard, base.drop(while: { $0 != 0x2E }).dropFirst().elementsEqual(name) {
                return false
            }
        }
        // Every name that a wildcard stands for must be permitted, so its parent must be.
        return permittedDNS.isEmpty || permittedDNS.contains { DNSName.isWithin(name, $0) }
    }
}

extension GeneralName {
    fileprivate var foldedDNS: [UInt8]? {
        if case .dns(let text) = self { DNSName.folded(text) } else { nil }
    }

    fileprivate func hasForm(of other: GeneralName) -> Bool {
        switch (self, other) {
        case (.email, .email), (.dns, .dns), (.uri, .uri), (.ip, .ip), (.directory, .directory):
            true
        case (.other(let one), .other(let two)):
            one == two
        case (.email, _), (.dns, _), (.uri, _), (.ip, _), (.directory, _), (.other, _):
            false
        }
    }
}

/// One base of name constraints against one name of the same form, DNS names apart.
///
/// A name that cannot be read counts as outside what is permitted and inside what is excluded.
private struct Subtree {
    private let base: GeneralName

    init(_ base: GeneralName) {
        self.base = base
    }

    func permits(_ name: GeneralName) -> Bool {
        contains(name) ?? false
    }

    func excludes(_ name: GeneralName) -> Bool {
        contains(name) ?? true
    }

    /// nil when the name cannot be read, or its form is not understood.
    private func contains(_ name: GeneralName) -> Bool? {
        switch (base, name) {
        case (.uri(let base), .uri(let name)):
            guard let host = URIHost.host(of: name), DNSName.isWellFormed(host) else { return nil }
            return base.hasPrefix(".")
                ? DNSName.isBelow(host, String(base.dropFirst())) : DNSName.equals(host, base)
        case (.email(let base), .email(let name)):
            guard let mailbox = Mailbox(name) else { return nil }
            if let exact = Mailbox(base) { return exact == mailbox }
            return base.hasPrefix(".")
                ? DNSName.isBelow(mailbox.host, String(base.dropFirst()))
                : DNSName.equals(mailbox.host, base)
        case (.ip(let base), .ip(let name)):
            guard base.count == 2 * name.count else { return false }
            let half = name.count
            return (0..<half).allSatisfy { (base[$0] ^ name[$0]) & base[half + $0] == 0 }
        case (.directory(let base), .directory(let name)):
            return name.isWithin(base)
        case (.dns, _), (.uri, _), (.email, _), (.ip, _), (.directory, _), (.other, _):
            return nil
        }
    }
}
