package import Wire

/// The rules of one destination, compiled so that a source is decided by a few look-ups.
///
/// Equal to `evaluate` over the same rules by test. Immutable; every reactor holds a reference.
package struct InboundPolicy: Sendable {
    /// The service whose inbound rules these are.
    package let destination: ServiceName
    /// The trust domain that rules without one of their own speak of.
    package let trustDomain: TrustDomain
    /// What holds where no rule decides.
    package let defaultVerdict: Verdict
    /// The rules that speak of this destination, in the order in which they win.
    package let rules: [Intention]

    private let local: SourceTable
    private let foreign: [TrustDomain: SourceTable]
    /// Every moment at which a rule comes into force or ends, ascending.
    private let transitions: [Timestamp]

    /// Compiles those of `rules` that are relevant to `destination`; the others are ignored.
    package init(
        destination: ServiceName,
        trustDomain: TrustDomain,
        rules: some Sequence<Intention>,
        defaultVerdict: Verdict = .deny
    ) {
        let relevant =
            rules
            .filter { $0.mode == .enforce && $0.destination.matches(destination) }
            .map { (rule: $0, rank: RuleRank($0)) }
            .sorted { $0.rank < $1.rank }
        self.destination = destination
        self.trustDomain = trustDomain
        self.defaultVerdict = defaultVerdict
        self.rules = relevant.map(\.rule)
        var local = SourceTable()
        var foreign: [TrustDomain: SourceTable] = [:]
        for (rule, rank) in relevant {
            let entry = SourceTable.Entry(rule: rule, rank: rank)
            if let domain = rule.sourceTrustDomain, domain != trustDomain {
                foreign[domain, default: SourceTable()].add(entry)
            } else {
                local.add(entry)
            }
        }
        self.local = local
        self.foreign = foreign
        transitions = Set(self.rules.flatMap { [$0.notBefore, $0.notAfter].compactMap { $0 } })
            .sorted()
    }

    /// Decides a source; `now` bounds the rules that have an end.
    package func decide(
        source: SourceIdentity,
        question: AccessQuestion,
        now: Timestamp
    ) -> Ruling {
        let table = source.trustDomain == trustDomain ? local : foreign[source.trustDomain]
        guard let winner = table?.winner(for: source.service, at: now) else {
            return .byDefault(defaultVerdict)
        }
        return winner.ruling(on: question, defaultVerdict: defaultVerdict)
    }

    /// The next moment at which a decision may come out otherwise by time alone.
    package func nextTransition(after now: Timestamp) -> Timestamp? {
        transitions.first { $0 > now }
    }
}

/// Rules by the kind of their source pattern, each list in the order in which they win.
private struct SourceTable: Sendable {
    struct Entry: Sendable {
        let rule: Intention
        let rank: RuleRank
    }

    private var exact: [ServiceName: [Entry]] = [:]
    private var namespaces: [NamespaceName: [Entry]] = [:]
    private var any: [Entry] = []

    /// Entries arrive in the order in which they win.
    mutating func add(_ entry: Entry) {
        switch entry.rule.source {
        case .exact(let service): Self.append(entry, to: &exact[service, default: []])
        case .namespace(let name): Self.append(entry, to: &namespaces[name, default: []])
        case .any: Self.append(entry, to: &any)
        }
    }

    func winner(for service: ServiceName, at now: Timestamp) -> Intention? {
        var best: Entry?
        Self.improve(&best, with: exact[service], at: now)
        Self.improve(&best, with: namespaces[service.namespace], at: now)
        Self.improve(&best, with: any, at: now)
        return best?.rule
    }

    private static func improve(_ best: inout Entry?, with list: [Entry]?, at now: Timestamp) {
        guard let entry = list?.first(where: { $0.rule.isActive(at: now) }) else { return }
        if let current = best, current.rank < entry.rank { return }
        best = entry
    }

    /// What stands behind a rule that never ends can never win.
    private static func append(_ entry: Entry, to list: inout [Entry]) {
        if let last = list.last, !last.rule.isTimeBound { return }
        list.append(entry)
    }
}
