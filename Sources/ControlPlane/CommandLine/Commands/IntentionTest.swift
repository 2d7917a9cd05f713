import Mesh
import Reactor
import Wire

/// Policy tests for a pipeline: who may reach whom by files of resources, decided by the evaluator
/// that the agents run, without a server.
enum IntentionTest {
    static let command = Command(
        "intention test",
        "check that files of intentions decide as expected, without a server",
        options: [
            Command.Option(
                name: "-f",
                value: "FILE|DIR",
                summary: "resources as `apply` takes them",
                isRepeatable: true,
                isRequired: true
            ),
            Command.Option(
                name: "--expect",
                value: "FILE",
                summary: "the expectations",
                isRequired: true
            ),
            Command.Option(
                name: "--at",
                value: "TIME",
                summary: "decide for this moment instead of now"
            ),
            .json,
        ],
        notes: [
            "An expectation names a `source`, a `destination` and the `verdict` (allow or deny):"
                + " a file holds a list of them under `expectations:`.",
            "What no intention of the files allows is denied, as it is by every agent. Exits with"
                + " 1 when something is decided otherwise than expected.",
        ],
        operation: run
    )

    /// Most expectations of one file.
    private static let expectationsMax = 10_000

    struct Expectation: Equatable {
        let source: ServiceName
        let destination: ServiceName
        let verdict: Verdict
    }

    private static func run(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let files = ResourceFiles(readInput: session.surroundings.readInput)
        let rules = try Rules(try files.load(invocation.all("-f")))
        guard let path = invocation.option("--expect") else {
            throw .usage("--expect is missing")
        }
        let expectations = try read(path)
        guard !expectations.isEmpty else { throw .usage("\(path) holds no expectation") }
        let now = try invocation.timestamp("--at") ?? session.surroundings.now()
        let outcomes = try expectations.map { expectation throws(Failure) in
            try outcome(of: expectation, rules, now)
        }
        let failed = outcomes.filter { $0["met"]?.bool != true }.count
        if invocation.isJSON {
            session.printJSON(
                .fields(["expectations": .list(outcomes), "failed": .number(failed)])
            )
        } else {
            session.print(outcomes.table(columns).text())
            session.note("\(outcomes.count - failed) of \(outcomes.count) as expected\n")
        }
        return failed == 0 ? .success : .difference
    }

    private static let columns = [
        Column("MET", "met"), Column("SOURCE", "source"), Column("DESTINATION", "destination"),
        Column("EXPECTED", "expected"), Column("VERDICT", "verdict"),
        Column("DECIDED BY", "decided_by"),
    ]

    private static func outcome(
        of expectation: Expectation,
        _ rules: Rules,
        _ now: Timestamp
    ) throws(Failure) -> Document {
        let ruling = evaluate(
            source: SourceIdentity(trustDomain: rules.trustDomain, service: expectation.source),
            destination: expectation.destination,
            question: .connection(requestsAreJudged: false),
            rules: rules.intentions,
            context: EvaluationContext(trustDomain: rules.trustDomain, now: now)
        )
        return .fields([
            "met": .bool(ruling.verdict == expectation.verdict),
            "source": .string("\(expectation.source)"),
            "destination": .string("\(expectation.destination)"),
            "expected": .string(expectation.verdict.rawValue),
            "verdict": .string(ruling.verdict.rawValue),
            "decided_by": .string(ruling.ruleID.flatMap { rules.places[$0] } ?? "default"),
        ])
    }

    private static func read(_ path: String) throws(Failure) -> [Expectation] {
        let document: Document
        do {
            let bytes = try FileSystem.read(path, byteCountMax: 1 << 20, followsLinks: true)
            document = try YAML.parseSingle(bytes, source: path)
        } catch {
            throw .usage("\(error)")
        }
        do throws(FieldError) {
            let list = try FieldValue(document).map { reader throws(FieldError) in
                try reader.maps("expectations", limit: expectationsMax) {
                    reader throws(FieldError) in
                    Expectation(
                        source: try reader.required("source").serviceName(),
                        destination: try reader.required("destination").serviceName(),
                        verdict: try reader.choice("verdict", as: Verdict.self)
                    )
                }
            }
            return list
        } catch {
            throw .usage("\(FileProblem(error, in: document, source: path))")
        }
    }
}

extension IntentionTest {
    /// The intentions of files, each with an id that tells where it stands.
    struct Rules {
        private(set) var intentions: [Intention] = []
        private(set) var places: [RuleID: String] = [:]
        /// Stands for the one of the mesh: rules without one of their own speak of it.
        let trustDomain: TrustDomain

        init(_ filed: [FiledResource]) throws(Failure) {
            do throws(NameError) {
                trustDomain = try TrustDomain("mesh.internal")
            } catch {
                throw .usage("\(error)")
            }
            var seen: [[String]: String] = [:]
            for file in filed {
                for case .intention(var rule) in file.resource.parts {
                    let place = "\(file.source):\(file.position.line)"
                    try Failure.checking { () throws(InvalidField) in try rule.validate() }
                    let pair = ["\(rule.source)", "\(rule.destination)"]
                    if let other = seen.updateValue(place, forKey: pair) {
                        throw .usage(
                            "\(place): \(other) already decides \(pair[0]) -> \(pair[1])",
                            hint: "keep one intention for each source and destination"
                        )
                    }
                    do throws(NameError) {
                        rule.id = try RuleID("rule-\(intentions.count)")
                    } catch {
                        throw .usage("\(place): \(error)")
                    }
                    places[rule.id] = place
                    intentions.append(rule)
                }
            }
        }
    }
}
