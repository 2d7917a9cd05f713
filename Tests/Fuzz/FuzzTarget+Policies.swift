import Mesh
import Wire

// What people write, and what follows from it.
extension FuzzTarget {
    static let policies: [FuzzTarget] = [
        FuzzTarget(name: "resources") { bytes in
            guard let documents = try? YAML.parse(bytes) else { return nil }
            for document in documents {
                guard let filed = try? FiledResource(reading: document, source: "file") else {
                    continue
                }
                let written = filed.resource.fileDocument
                guard let text = try? YAML.parseSingle(YAML.write(written)),
                    let back = try? FiledResource(reading: text, source: "file")
                else { return "what was exported is refused" }
                guard back.resource == filed.resource else { return "what was exported differs" }
            }
            return nil
        },
        FuzzTarget(name: "policy_text") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let policy = try? PolicyText.parse(text, name: "p") else { return nil }
            let written = PolicyText.format(policy)
            guard let back = try? PolicyText.parse(written, name: "p") else {
                return "what was written is refused"
            }
            return back == policy ? nil : "what was written differs"
        },
        FuzzTarget(name: "intentions") { bytes in
            let (rules, source, destination, now) = question(bytes)
            guard let domain = try? TrustDomain("mesh.example") else { return "no trust domain" }
            let identity = SourceIdentity(trustDomain: domain, service: source)
            let kind = AccessQuestion.connection(requestsAreJudged: false)
            let policy = InboundPolicy(
                destination: destination,
                trustDomain: domain,
                rules: rules
            )
            let compiled = policy.decide(source: identity, question: kind, now: now)
            let slow = evaluate(
                source: identity,
                destination: destination,
                question: kind,
                rules: rules,
                context: EvaluationContext(trustDomain: domain, now: now)
            )
            guard compiled == slow else { return "the compiled policy decides otherwise" }
            let naive = verdict(rules, source, destination, now)
            return naive == compiled.verdict ? nil : "the rules read one by one decide otherwise"
        },
    ]

    /// Up to eighty rules over two namespaces and three services, so that they meet.
    private static func question(
        _ bytes: [UInt8]
    ) -> ([Intention], ServiceName, ServiceName, Timestamp) {
        func label(_ number: UInt8) -> String { ["a", "b", "c"][Int(number % 3)] }
        func service(_ byte: UInt8) -> ServiceName? {
            try? ServiceName("\(byte & 1 == 0 ? "x" : "y")/\(label(byte >> 1))")
        }
        func pattern(_ byte: UInt8) -> ServicePattern? {
            switch byte >> 4 & 3 {
            case 0: .any
            case 1: try? ServicePattern(byte & 1 == 0 ? "x/*" : "y/*")
            default: service(byte).map { .exact($0) }
            }
        }
        let fallback = ServiceName(namespace: .default, name: anyLabel)
        let now = Timestamp(secondsSinceEpoch: 1_000)
        var rules: [Intention] = []
        let body = bytes.dropFirst(2).prefix(240)
        for start in stride(from: body.startIndex, to: body.endIndex - 2, by: 3) {
            guard let source = pattern(body[start]), let destination = pattern(body[start + 1]),
                let id = try? RuleID("r\(rules.count)")
            else { continue }
            let traits = body[start + 2]
            rules.append(
                Intention(
                    id: id,
                    source: source,
                    destination: destination,
                    effect: .action(traits & 1 == 0 ? .allow : .deny),
                    notBefore: traits & 2 == 0 ? nil : now + .seconds(Int64(traits >> 5) - 3),
                    notAfter: traits & 4 == 0 ? nil : now + .seconds(Int64(traits >> 5) - 4),
                    mode: traits & 24 == 24 ? .shadow : .enforce
                )
            )
        }
        return (
            rules, bytes.first.flatMap(service) ?? fallback,
            bytes.dropFirst().first.flatMap(service) ?? fallback, now
        )
    }

    private static let anyLabel: ServiceLabel = {
        guard let label = try? ServiceLabel("a") else { preconditionFailure("a label") }
        return label
    }()

    /// The specification, word by word: the most exact destination, then the most exact source,
    /// then deny.
    private static func verdict(
        _ rules: [Intention],
        _ source: ServiceName,
        _ destination: ServiceName,
        _ now: Timestamp
    ) -> Verdict {
        func exactness(_ pattern: ServicePattern) -> Int {
            switch pattern {
            case .any: 0
            case .namespace: 1
            case .exact: 2
            }
        }
        let active = rules.filter { rule in
            rule.mode == .enforce && rule.source.matches(source)
                && rule.destination.matches(destination)
                && rule.notBefore.map { $0 <= now } ?? true
                && rule.notAfter.map { now < $0 } ?? true
        }
        let score = { (rule: Intention) in
            exactness(rule.destination) * 3 + exactness(rule.source)
        }
        guard let best = active.map(score).max() else { return .deny }
        let winners = active.filter { score($0) == best }
        return winners.contains { $0.effect == .action(.deny) } ? .deny : .allow
    }
}
