import Mesh
import Wire

extension Suite {
    /// Decides one connection or one request.
    static let intentions = Suite(name: "intentions", refusal: "deny") { reader in
        let question = try IntentionCase(&reader)
        return question.answer(to: try askedQuestion(&reader))
    }

    /// Decides one GET request by its raw target.
    static let paths = Suite(name: "paths", refusal: "reject") { reader in
        let question = try IntentionCase(&reader)
        let target = try reader.required("raw_target").string()
        let path: String
        do throws(PathRefusal) {
            path = try canonicalPath(ofTarget: target)
        } catch {
            return .result("reject", reason: error.rawValue)
        }
        return question.answer(to: .request(RequestFacts(method: "GET", path: path)))
    }

    /// Checks one entry as the API does before it stores it.
    static let intentionValidation = Suite(
        name: "intention-validation",
        refusal: "reject"
    ) { reader in
        _ = try IntentionEntry(reading: try reader.required("body"))
        return .result("accept")
    }
}

private func canonicalPath(ofTarget target: String) throws(PathRefusal) -> String {
    let path = try PathCanonicalizer.canonicalize(target: Array(target.utf8)).path
    return String(decoding: path, as: UTF8.self)
}

private func askedQuestion(_ reader: inout FieldReader) throws -> AccessQuestion {
    let check = try reader.optionalString("check")
    let areRequestsJudged = try reader.optionalBool("allow_permissions") ?? false
    let request = try reader.optionalMap("request") { request throws(FieldError) in
        (
            method: try request.string("method"),
            path: try request.required("path")
        )
    }
    guard check != "l4", let request else {
        return .connection(requestsAreJudged: check == "l4" && areRequestsJudged)
    }
    let path = try request.path.parsed(as: "an absolute path") { text throws(PathRefusal) in
        try canonicalPath(ofTarget: text)
    }
    return .request(RequestFacts(method: request.method, path: path))
}

/// The part that the suites about intentions share.
private struct IntentionCase {
    let rules: [Intention]
    let source: SourceIdentity
    let destination: ServiceName
    let context: EvaluationContext

    init(_ reader: inout FieldReader) throws {
        let domain = try TrustDomain("conformance.example")
        context = EvaluationContext(
            trustDomain: domain,
            now: .epoch,
            defaultVerdict: try reader.choice("default", as: Verdict.self)
        )
        source = SourceIdentity(
            trustDomain: domain,
            service: try reader.required("src").serviceName()
        )
        destination = try reader.required("dst").serviceName()
        var rules: [Intention] = []
        for element in try reader.required("rules").list() {
            // The order of the rules has no meaning; an id only tells them apart.
            let id = Document.string("rule-\(rules.count)")
            var rule = element.document
            rule.set("id", id)
            rules.append(try Intention(reading: FieldValue(rule, unknownFields: .tolerated)))
        }
        self.rules = rules
    }

    /// Asks the compiled form, which is what an agent asks.
    func answer(to question: AccessQuestion) -> Suite.Answer {
        let policy = InboundPolicy(
            destination: destination,
            trustDomain: context.trustDomain,
            rules: rules,
            defaultVerdict: context.defaultVerdict
        )
        let ruling = policy.decide(source: source, question: question, now: context.now)
        return .result(ruling.verdict.rawValue, reason: ruling.reason.rawValue)
    }
}
