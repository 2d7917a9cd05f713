package import Mesh
import Store
import Wire

/// A file for offline signing: agents, and the resources that they shall enforce.
///
/// The resources keep every rule that the API keeps; the one namespace that needs no words is
/// `default`.
package struct OfflineFile: Sendable {
    /// The file's name, for errors.
    package let source: String
    package let agents: [OfflineAgent]
    /// As the database of a control plane would hold them, in the order of their dependence.
    package let resources: [Resource]

    /// Reads and checks a whole file; throws everything that is wrong with it.
    package init(_ bytes: [UInt8], source: String) throws(OfflineProblems) {
        let documents: [Document]
        do throws(DocumentError) {
            documents = try YAML.parse(bytes, source: source)
        } catch {
            throw OfflineProblems([error.description])
        }
        var problems: [String] = []
        var agents: [OfflineAgent] = []
        var filed: [FiledResource] = []
        for document in documents {
            do throws(FileProblem) {
                if document["kind"]?.text == OfflineAgent.kind {
                    agents.append(try Self.agent(document, source))
                } else {
                    filed.append(try FiledResource(reading: document, source: source))
                }
            } catch {
                problems.append(error.description)
            }
        }
        if agents.isEmpty, problems.isEmpty {
            problems.append("\(source): no agent; a document of `kind: agent` makes one")
        }
        var seen: Set<AgentName> = []
        for agent in agents where !seen.insert(agent.name).inserted {
            problems.append(
                "\(source):\(agent.position.line): name: the agent \(agent.name) is given twice;"
                    + " keep one of them"
            )
        }
        guard problems.isEmpty else { throw OfflineProblems(problems) }
        let plan = Self.plan(filed, agents: seen)
        guard plan.problems.isEmpty else {
            throw OfflineProblems(
                plan.problems.map { problem in
                    // There is nobody to invite: here agents are part of the file.
                    let text =
                        problem.code == "agent.unknown"
                        ? "the file holds no such agent: add a document of `kind: agent`"
                        : problem.text
                    return FiledResource.located("\(problem.field): \(text)", filed)
                }
            )
        }
        self.source = source
        self.agents = agents
        resources = plan.steps.map(\.new)
    }

    private static func agent(
        _ document: Document,
        _ source: String
    ) throws(FileProblem) -> OfflineAgent {
        do throws(FieldError) {
            return try OfflineAgent(reading: FieldValue(document))
        } catch {
            throw FileProblem(error, in: document, source: source)
        }
    }

    /// What a control plane with nothing but the namespace `default` and these agents would do.
    private static func plan(
        _ filed: [FiledResource],
        agents: Set<AgentName>
    ) -> CatalogPlan {
        let namespace = ResourceKey.namespace(.default)
        let row = Stored(
            Resource.namespace(Namespace(name: .default)),
            revision: 0,
            createdAt: .distantPast,
            updatedAt: .distantPast,
            createdBy: ""
        )
        var ruleCount = 0
        return CatalogPlan(
            filed.enumerated().flatMap { index, filed in
                CatalogPlan.Part.parts(of: filed.resource, at: "resources[\(index)]")
            },
            state: CatalogState(rows: [namespace: row], agents: agents),
            // Whoever holds the keys may write anything.
            caller: Caller(principal: "offline", policies: BuiltInPolicies.all)
        ) {
            ruleCount += 1
            return (try? RuleID("offline-\(ruleCount)")) ?? .unassigned
        }
    }
}

/// Everything that is wrong with a file for offline signing, or with what it names.
package struct OfflineProblems: Error, Equatable, Sendable {
    /// One sentence each, with the place where there is one; never empty.
    package let lines: [String]

    package init(_ lines: [String]) {
        self.lines = lines
    }
}
