import Mesh
import Postgres
import Reactor
import Snapshot
import Store

/// Reads the configuration as it was at one revision, in whole or what changed since another.
///
/// Rows that grant but whose tag does not hold count as absent, as everywhere.
struct ConfigurationLoader: Sendable {
    /// More changes than these are cheaper read as a whole.
    private static let changesMax = 2_000

    /// Rows that are read and decoded at one go; the reactor serves others between two pages.
    private static let pageRows = 250

    /// What a reader has to do to be at `revision`.
    struct Update: Sendable {
        enum Content: Sendable {
            case whole(Configuration)
            case entries([Configuration.Entry])
        }

        let revision: Int64
        let content: Content
        /// Agents that the changes speak of.
        var agents: Set<AgentName> = []
        var hasNewTrust = false
    }

    let control: ControlPlane

    /// Everything.
    func load() async throws(ControlError) -> Update {
        try await control.read { database in try await whole(in: database) }
    }

    /// What changed after a revision; nil for nothing.
    ///
    /// - Throws: `gone` if the database is at an earlier revision.
    func update(after revision: Int64) async throws(ControlError) -> Update? {
        try await control.read { database in
            let current = try await RevisionRepository.current(in: database)
            guard current != revision else { return nil }
            guard current > revision else {
                throw ControlError.gone(
                    Complaint(
                        "revision.set_back",
                        "the database is at revision \(current), but \(revision) was published"
                    )
                )
            }
            let changes = try await RevisionRepository.changes(
                after: revision,
                limit: Self.changesMax + 1,
                in: database
            )
            // A revision without a change was taken out of the feed: nothing less than all will do.
            let revisions = Set(changes.map(\.revision))
            guard changes.count <= Self.changesMax, changes.last?.revision == current,
                Int64(clamping: revisions.count) == current - revision,
                let touched = TouchedKeys(changes.map(\.change))
            else { return try await whole(in: database) }
            var update = Update(
                revision: current,
                content: .entries(try await entries(of: touched, in: database))
            )
            update.agents = Set(touched.agents)
            update.hasNewTrust = touched.hasTrust
            return update
        }
    }

    private func revocations(
        in database: PostgresTransaction
    ) async throws -> RevocationsSection {
        RevocationsSection(
            serials: try await RevocationRepository.denied(in: database),
            cutoffs: try await RevocationRepository.cutoffs(in: database)
        )
    }

    private func whole(in database: PostgresTransaction) async throws -> Update {
        var configuration = Configuration()
        // The feed tells a row from a copy of an older one, so nobody may shorten it.
        if try await !RevisionRepository.isGapless(in: database) {
            control.alarms.raise(RowAlarm(table: "changes", key: "revisions"))
        }
        try await pages(database) { after, limit in
            let page = try await AgentRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items {
                configuration.set(.agent(row.value.name, Self.agent(row.value)))
            }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await ServiceRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items { configuration.set(.service(row.value.name, row.value)) }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await PlacementRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items { configuration.set(.placement(row.value, exists: true)) }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await InstanceRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items {
                let placement = Placement(service: row.value.service, agent: row.value.agent)
                configuration.set(.instance(placement, row.value.name, row.value))
            }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await ExternalRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items { configuration.set(.external(row.value.placement, row.value)) }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await UpstreamRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items {
                configuration.set(.upstream(row.value.agent, port: row.value.port, row.value))
            }
            return page.next
        }
        try await pages(database) { after, limit in
            let page = try await IntentionRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            for row in page.items {
                let rule = row.value
                configuration.set(
                    .intention(destination: rule.destination, source: rule.source, rule)
                )
            }
            return page.next
        }
        configuration.set(.revocations(try await revocations(in: database)))
        var update = Update(
            revision: try await RevisionRepository.current(in: database),
            content: .whole(configuration)
        )
        update.hasNewTrust = true
        return update
    }

    private func pages(
        _ database: PostgresTransaction,
        _ read: (_ after: String?, _ limit: Int) async throws -> String?
    ) async throws {
        var after: String?
        repeat {
            after = try await read(after, Self.pageRows)
            await control.pool.reactor.breathe()
        } while after != nil
    }

    private func entries(
        of touched: TouchedKeys,
        in database: PostgresTransaction
    ) async throws -> [Configuration.Entry] {
        var entries: [Configuration.Entry] = []
        let agents = try await AgentRepository.find(
            touched.agents,
            guardedBy: control.rowGuard,
            in: database
        ).map(\.value)
        let byName = Self.index(agents, by: \.name)
        entries += touched.agents.map { name in
            .agent(name, byName[name].map(Self.agent))
        }
        let services = try await ServiceRepository.find(
            touched.services,
            guardedBy: control.rowGuard,
            in: database
        )
        let byServiceName = Self.index(services.map(\.value), by: \.name)
        entries += touched.services.map { .service($0, byServiceName[$0]) }
        let placements = Set(
            try await PlacementRepository.find(
                touched.placements,
                guardedBy: control.rowGuard,
                in: database
            ).map(\.value)
        )
        entries += touched.placements.map { .placement($0, exists: placements.contains($0)) }
        let instances = try await InstanceRepository.find(
            onAgents: Array(Set(touched.instances.map(\.placement.agent))),
            guardedBy: control.rowGuard,
            in: database
        )
        let byPlacement = Dictionary(grouping: instances.map(\.value)) {
            Placement(service: $0.service, agent: $0.agent)
        }
        entries += touched.instances.map { key in
            .instance(
                key.placement,
                key.name,
                byPlacement[key.placement]?.first { $0.name == key.name }
            )
        }
        let externals = try await ExternalRepository.find(
            onAgents: Array(Set(touched.externals.map(\.agent))),
            guardedBy: control.rowGuard,
            in: database
        )
        let byEgress = Self.index(externals.map(\.value), by: \.placement)
        entries += touched.externals.map { .external($0, byEgress[$0]) }
        let upstreams = try await UpstreamRepository.find(
            onAgents: Array(Set(touched.upstreams.map(\.agent))),
            guardedBy: control.rowGuard,
            in: database
        )
        let byAgent = Dictionary(grouping: upstreams.map(\.value), by: \.agent)
        entries += touched.upstreams.map { key in
            .upstream(
                key.agent,
                port: key.port,
                byAgent[key.agent]?.first { $0.port == key.port }
            )
        }
        let rules = try await IntentionRepository.find(
            touched.intentions,
            guardedBy: control.rowGuard,
            in: database
        )
        let byKey = Self.index(rules.map(\.value)) {
            IntentionRepository.Key(destination: $0.destination, source: $0.source)
        }
        entries += touched.intentions.map { key in
            .intention(destination: key.destination, source: key.source, byKey[key])
        }
        if touched.hasTrust {
            entries.append(.revocations(try await revocations(in: database)))
        }
        return entries
    }

    private static func index<Value, Key: Hashable>(
        _ values: [Value],
        by key: (Value) -> Key
    ) -> [Key: Value] {
        Dictionary(values.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// An address that reads as none is one that nobody is sent to.
    private static func agent(_ row: AgentRow) -> Configuration.Agent {
        Configuration.Agent(
            isEnrolled: row.state == .enrolled,
            meshAddress: try? MeshAddress(row.meshAddress)
        )
    }
}

/// What changes speak of, each thing once.
private struct TouchedKeys {
    var agents: [AgentName] = []
    var services: [ServiceName] = []
    var placements: [Placement] = []
    var instances: [(placement: Placement, name: InstanceName)] = []
    var externals: [Placement] = []
    var upstreams: [(agent: AgentName, port: UInt16)] = []
    var intentions: [IntentionRepository.Key] = []
    var hasTrust = false

    /// Nil if a key is not what this version knows, so that everything must be read.
    init?(_ changes: [Change]) {
        var seen: Set<String> = []
        for change in changes where seen.insert("\(change.kind.rawValue) \(change.key)").inserted {
            let parts = change.key.split(separator: "/", omittingEmptySubsequences: false)
                .map(String.init)
            guard (try? add(change.kind, parts)) == true else { return nil }
        }
    }

    private mutating func add(_ kind: Change.Kind, _ parts: [String]) throws -> Bool {
        switch (kind, parts.count) {
        case (.namespace, _): break
        case (.trust, _): hasTrust = true
        case (.agent, 1): agents.append(try AgentName(parts[0]))
        case (.service, 2): services.append(try ServiceName("\(parts[0])/\(parts[1])"))
        case (.placement, 3): placements.append(try Self.placement(parts))
        case (.instance, 4) where parts[3] == ExternalRepository.feedName:
            externals.append(try Self.placement(parts))
        case (.instance, 4):
            instances.append((try Self.placement(parts), try InstanceName(parts[3])))
        case (.upstream, 2):
            guard let port = UInt16(parts[1]) else { return false }
            upstreams.append((try AgentName(parts[0]), port))
        case (.intention, 4):
            intentions.append(
                IntentionRepository.Key(
                    destination: try ServicePattern(namespace: parts[0], name: parts[1]),
                    source: try ServicePattern(namespace: parts[2], name: parts[3])
                )
            )
        default: return false
        }
        return true
    }

    private static func placement(_ parts: [String]) throws -> Placement {
        Placement(
            service: try ServiceName("\(parts[0])/\(parts[1])"),
            agent: try AgentName(parts[2])
        )
    }
}
