package import Mesh
import Store
import Wire

/// What applying a list of resources did, or would do.
package struct ApplyOutcome: Equatable, Sendable {
    /// The revision that it made; nil if nothing changed or it was a dry run.
    package let revision: Int64?
    package let isDryRun: Bool
    /// In the order in which the resources depend on each other.
    package let steps: [CatalogStep]
}

extension Catalog {
    /// The most resources of one list, nested ones included.
    package static let partsMax = 5_000

    /// The rights that applying a list needs, object by object; read before storage is touched.
    package static func rights(
        toApply resources: [Resource],
        dryRun: Bool
    ) -> [(capability: Capability, path: String)] {
        var rights: [(capability: Capability, path: String)] = []
        for part in resources.flatMap(\.parts) {
            rights.append((dryRun ? .read : .update, part.path))
            if case .instance(let instance) = part, !instance.address.isLoopback {
                rights.append((.sudo, part.path))
            }
            if case .external(let target) = part, target.allowsLocal {
                rights.append((.sudo, part.path))
            }
        }
        return rights
    }

    /// Puts all resources of a list in one transaction with one revision, or none.
    ///
    /// Nothing is ever deleted. A refusal names everything that is wrong, by the places in
    /// `resources`.
    package func apply(
        _ resources: [Resource],
        by caller: Caller
    ) async throws(ControlError) -> ApplyOutcome {
        let parts = try Self.parts(of: resources)
        return try await control.change(caller, action: "catalog.apply", resource: "apply") {
            change in
            let plan = try await plan(parts, by: caller, in: change.database)
            try Self.refuse(plan.problems, code: "apply.invalid")
            _ = try await carryOut(plan.steps, by: caller, in: change)
            let changed = plan.steps.filter { $0.action != .unchanged }
            for step in changed {
                var entry = caller.entry(
                    action: "\(step.key.kind.rawValue).put",
                    resource: step.key.path
                )
                entry.detail = step.detail
                change.audited.audit(entry)
            }
            if changed.isEmpty { change.audited.conclude(outcome: "unchanged") }
            change.describe([
                "changed": .number(changed.count),
                "unchanged": .number(plan.steps.count - changed.count),
            ])
            return ApplyOutcome(
                revision: changed.isEmpty ? nil : change.revision,
                isDryRun: false,
                steps: plan.steps
            )
        }
    }

    /// What `apply` would do now.
    package func dryRun(
        _ resources: [Resource],
        by caller: Caller
    ) async throws(ControlError) -> ApplyOutcome {
        let parts = try Self.parts(of: resources)
        return try await control.read { database in
            let plan = try await plan(parts, by: caller, isDryRun: true, in: database)
            try Self.refuse(plan.problems, code: "apply.invalid")
            return ApplyOutcome(revision: nil, isDryRun: true, steps: plan.steps)
        }
    }

    /// Everything whose path `isVisible` admits, in the order in which it can be applied again.
    package func export(
        isVisible: (String) -> Bool
    ) async throws(ControlError) -> (revision: Int64, resources: [Resource]) {
        try await control.read { database in
            var resources: [Resource] = []
            let kinds: [Resource.Kind] = [
                .namespace, .service, .placement, .instance, .external, .upstream, .intention,
            ]
            for kind in kinds {
                var after: String?
                repeat {
                    let page = try await list(
                        CatalogQuery(kind),
                        after: after,
                        limit: Page<Stored<Resource>>.limitMax,
                        in: database
                    )
                    resources += page.items.map(\.value).filter { isVisible($0.path) }
                    guard resources.count <= Self.exportMax else {
                        throw ControlError.invalid(
                            "export.too_large",
                            field: "",
                            "there are more than \(Self.exportMax) resources: list them by kind"
                        )
                    }
                    after = page.next
                } while after != nil
            }
            return (try await RevisionRepository.current(in: database), resources)
        }
    }

    private static let exportMax = 50_000

    private static func parts(
        of resources: [Resource]
    ) throws(ControlError) -> [CatalogPlan.Part] {
        let parts = resources.enumerated().flatMap { index, resource in
            CatalogPlan.Part.parts(of: resource, at: "resources[\(index)]")
        }
        guard parts.count <= partsMax else {
            throw .invalid(
                "apply.too_large",
                field: "resources",
                "at most \(partsMax) resources with all that is nested in them; split the list"
            )
        }
        return parts
    }
}
