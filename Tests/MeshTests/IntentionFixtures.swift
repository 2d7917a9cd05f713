import Mesh
import Testing
import Wire

/// The value of a literal in a test; a wrong literal is a mistake of the test itself.
func made<T>(_ make: () throws -> T) -> T {
    do {
        return try make()
    } catch {
        preconditionFailure("wrong literal in a test: \(error)")
    }
}

/// Rules and questions in the few words that a table has room for.
enum Rules {
    static let domain = made { try TrustDomain("mesh.example") }
    static let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    static func context(default verdict: Verdict = .deny) -> EvaluationContext {
        EvaluationContext(trustDomain: domain, now: now, defaultVerdict: verdict)
    }

    static func source(_ name: String, in domain: TrustDomain = Rules.domain) -> SourceIdentity {
        SourceIdentity(trustDomain: domain, service: made { try ServiceName(name) })
    }

    static func rule(
        _ id: String,
        _ source: String,
        _ destination: String,
        _ effect: Intention.Effect
    ) -> Intention {
        Intention(
            id: made { try RuleID(id) },
            source: made { try ServicePattern(source) },
            destination: made { try ServicePattern(destination) },
            effect: effect
        )
    }

    static let connection = AccessQuestion.connection(requestsAreJudged: false)
}

/// The definition, written as slowly and plainly as can be: the judge of the fast forms.
func referenceWinner(
    source: SourceIdentity,
    destination: ServiceName,
    rules: [Intention],
    context: EvaluationContext
) -> RuleID? {
    func effectOrder(_ rule: Intention) -> Int {
        if rule.effect == .action(.deny) { return 0 }
        return rule.effect == .action(.allow) ? 2 : 1
    }
    let table: [[Int]] = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    func kind(_ pattern: ServicePattern) -> Int {
        if pattern.namespaceText == "*" { return 0 }
        return pattern.nameText == "*" ? 1 : 2
    }
    func covers(_ pattern: ServicePattern, _ service: ServiceName) -> Bool {
        (pattern.namespaceText == "*" || pattern.namespaceText == service.namespace.text)
            && (pattern.nameText == "*" || pattern.nameText == service.name.text)
    }
    return
        rules
        .filter { $0.mode == .enforce }
        .filter { covers($0.destination, destination) && covers($0.source, source.service) }
        .filter { ($0.sourceTrustDomain ?? context.trustDomain) == source.trustDomain }
        .filter { ($0.notBefore ?? .distantPast) <= context.now }
        .filter { context.now < ($0.notAfter ?? .distantFuture) }
        .sorted { $0.id < $1.id }
        .sorted { effectOrder($0) < effectOrder($1) }
        .max { left, right in
            let leftPrecedence = table[kind(left.destination)][kind(left.source)]
            let rightPrecedence = table[kind(right.destination)][kind(right.source)]
            if leftPrecedence != rightPrecedence { return leftPrecedence < rightPrecedence }
            if effectOrder(left) != effectOrder(right) {
                return effectOrder(left) > effectOrder(right)
            }
            return left.id > right.id
        }?.id
}

/// A generator whose every run is the same.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
