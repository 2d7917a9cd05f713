/// One rule as `explain` shows it: whether it won, and if not, why not.
package struct ConsideredRule: Hashable, Sendable {
    /// The rule that is spoken of.
    package let ruleID: RuleID
    /// Its precedence, 9 to 1.
    package let precedence: Int
    /// How it fared.
    package let outcome: Outcome

    /// How a rule fares in one evaluation.
    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        case won
        case lostByPrecedence = "lost_by_precedence"
        case lostToDeny = "lost_to_deny"
        case lostByRuleID = "lost_by_rule_id"
        case otherDestination = "other_destination"
        case otherSource = "other_source"
        case otherTrustDomain = "other_trust_domain"
        case notYetActive = "not_yet_active"
        case noLongerActive = "no_longer_active"
        case notEnforced = "not_enforced"
    }
}

/// A ruling with the fate of every rule that was looked at.
package struct Explanation: Hashable, Sendable {
    /// What `evaluate` gives.
    package let ruling: Ruling
    /// The winner first, then those that lost in the order in which they would have won, then
    /// those that had no say.
    package let considered: [ConsideredRule]
}

/// The same as `evaluate`, with every rule accounted for; for people, not for the hot path.
package func explain(
    source: SourceIdentity,
    destination: ServiceName,
    question: AccessQuestion,
    rules: some Sequence<Intention>,
    context: EvaluationContext
) -> Explanation {
    var candidates: [Intention] = []
    var others: [ConsideredRule] = []
    for rule in rules {
        let obstacle = obstacle(
            of: rule,
            source: source,
            destination: destination,
            context: context
        )
        if let obstacle {
            others.append(
                ConsideredRule(ruleID: rule.id, precedence: rule.precedence, outcome: obstacle)
            )
        } else {
            candidates.append(rule)
        }
    }
    candidates.sort { RuleRank($0) < RuleRank($1) }
    others.sort { ($0.outcome.rawValue, $0.ruleID) < ($1.outcome.rawValue, $1.ruleID) }
    guard let winner = candidates.first else {
        return Explanation(ruling: .byDefault(context.defaultVerdict), considered: others)
    }
    let best = RuleRank(winner)
    let ranked = candidates.enumerated().map { position, rule in
        ConsideredRule(
            ruleID: rule.id,
            precedence: rule.precedence,
            outcome: position == 0 ? .won : lossReason(of: RuleRank(rule), against: best)
        )
    }
    return Explanation(
        ruling: winner.ruling(on: question, defaultVerdict: context.defaultVerdict),
        considered: ranked + others
    )
}

private func lossReason(of rank: RuleRank, against best: RuleRank) -> ConsideredRule.Outcome {
    if rank.precedence != best.precedence { return .lostByPrecedence }
    if rank.effectOrder != best.effectOrder { return .lostToDeny }
    return .lostByRuleID
}
