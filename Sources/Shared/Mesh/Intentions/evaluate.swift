/// The order in which rules win: precedence, then deny before permissions before allow, then id.
struct RuleRank: Hashable, Comparable {
    let precedence: Int
    let effectOrder: Int
    let id: RuleID

    init(_ rule: Intention) {
        precedence = rule.precedence
        effectOrder =
            switch rule.effect {
            case .action(.deny): 0
            case .permissions: 1
            case .action(.allow): 2
            }
        id = rule.id
    }

    /// `left < right`: left wins over right.
    static func < (left: RuleRank, right: RuleRank) -> Bool {
        if left.precedence != right.precedence { return left.precedence > right.precedence }
        if left.effectOrder != right.effectOrder { return left.effectOrder < right.effectOrder }
        return left.id < right.id
    }
}

/// Decides whether `source` may reach `destination`: exactly one rule wins, and nothing is asked
/// after it.
///
/// The one evaluator of the house: server, agent, explain and conformance call it or the
/// compiled form that is tested equal to it (`InboundPolicy`).
package func evaluate(
    source: SourceIdentity,
    destination: ServiceName,
    question: AccessQuestion,
    rules: some Sequence<Intention>,
    context: EvaluationContext
) -> Ruling {
    var winner: (rule: Intention, rank: RuleRank)?
    for rule in rules
    where obstacle(of: rule, source: source, destination: destination, context: context) == nil {
        let rank = RuleRank(rule)
        if let current = winner, current.rank < rank { continue }
        winner = (rule, rank)
    }
    guard let winner else { return .byDefault(context.defaultVerdict) }
    return winner.rule.ruling(on: question, defaultVerdict: context.defaultVerdict)
}

/// Why a rule has no say in a question about these two; nil if it has.
func obstacle(
    of rule: Intention,
    source: SourceIdentity,
    destination: ServiceName,
    context: EvaluationContext
) -> ConsideredRule.Outcome? {
    guard rule.mode == .enforce else { return .notEnforced }
    guard rule.destination.matches(destination) else { return .otherDestination }
    guard source.trustDomain == rule.sourceTrustDomain ?? context.trustDomain else {
        return .otherTrustDomain
    }
    guard rule.source.matches(source.service) else { return .otherSource }
    if let notBefore = rule.notBefore, context.now < notBefore { return .notYetActive }
    guard rule.isActive(at: context.now) else { return .noLongerActive }
    return nil
}

extension Intention {
    /// What this rule says once it has won.
    func ruling(on question: AccessQuestion, defaultVerdict: Verdict) -> Ruling {
        switch effect {
        case .action(let verdict):
            return ruling(verdict, verdict == .allow ? .allowedByIntention : .deniedByIntention)
        case .permissions(let permissions):
            switch question {
            case .connection(let requestsAreJudged):
                return requestsAreJudged
                    ? ruling(.allow, .allowedByIntention) : ruling(.deny, .permissionsNeedHTTP)
            case .request(let request):
                guard let index = permissions.firstIndex(where: { $0.matches(request) }) else {
                    return ruling(defaultVerdict, .noPermissionMatched)
                }
                let verdict = permissions[index].action
                return ruling(
                    verdict,
                    verdict == .allow ? .allowedByIntention : .deniedByIntention,
                    permissionIndex: index
                )
            }
        }
    }

    private func ruling(
        _ verdict: Verdict,
        _ reason: DecisionReason,
        permissionIndex: Int? = nil
    ) -> Ruling {
        Ruling(
            verdict: verdict,
            reason: reason,
            ruleID: id,
            precedence: precedence,
            permissionIndex: permissionIndex
        )
    }
}
