import Mesh
import Observability
import Postgres
import Snapshot
import Store
import Wire

// Health is no configuration: it makes no revision, is not signed, and is lost without harm. Each
// replica stores what its agents say and tells them what the others' agents said.
extension Distribution {
    /// An agent has said how its instances are.
    func took(_ health: AgentHealth, from agent: AgentName) async {
        guard sessions[agent] != nil, reported[agent] != health else { return }
        do throws(ControlError) {
            let isNews = try await control.write { database in
                try await HealthRepository.report(health.findings, of: agent, in: database)
            }
            reported[agent] = health
            if isNews { heardOfHealth() }
        } catch {
            // It is said again with the next status.
            control.logger.warning(
                "the health of instances was not stored",
                ["agent": .text(agent.text), "error": .describing(error)]
            )
        }
    }

    /// Somebody's instances went up or down.
    func heardOfHealth() {
        isHealthStale = true
        wake()
    }

    /// Reads which instances are down and tells the agents whose destinations they are.
    func followHealth() async throws(ControlError) {
        let now = control.surroundings.instant()
        let isDue = nextHealthReading.map { now >= $0 } ?? true
        guard revision != nil, isHealthStale || isDue else { return }
        isHealthStale = false
        nextHealthReading = now + Self.comparisonInterval
        let down: [Placement: Set<InstanceName>]
        do throws(ControlError) {
            down = try await control.read { database in
                try await HealthRepository.down(in: database)
            }
        } catch {
            isHealthStale = true
            throw error
        }
        downWeights = compiler.configuration.weights(without: down)
        for agent in sessions.keys { await showHealth(to: agent) }
    }

    /// Tells an agent what its destinations weigh, if that is news to it.
    func showHealth(to agent: AgentName) async {
        guard let session = sessions[agent], features[agent]?.contains(.traffic) == true else {
            return
        }
        var notice = HealthNotice(weights: [:])
        if !downWeights.isEmpty {
            for upstream in compiler.configuration.upstreams(of: agent) {
                notice.weights[upstream.destination] = downWeights[upstream.destination]
            }
        }
        guard shownHealth[agent] ?? HealthNotice(weights: [:]) != notice else { return }
        shownHealth[agent] = notice
        await session.show(notice)
    }
}

extension Configuration {
    /// What hosts weigh whose instances are partly or all down.
    func weights(
        without down: [Placement: Set<InstanceName>]
    ) -> [ServiceName: [AgentName: Int]] {
        var weights: [ServiceName: [AgentName: Int]] = [:]
        for (placement, names) in down {
            let all = instances(of: placement)
            let left = all.filter { !names.contains($0.name) }
            guard left.count < all.count else { continue }
            weights[placement.service, default: [:]][placement.agent] = left.reduce(0) {
                min($0 + max($1.weight, 0), Instance.weightMax)
            }
        }
        return weights
    }
}
