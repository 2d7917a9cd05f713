import Snapshot
import Wire

// What changes and what goes wrong.
extension Simulation {
    func planFault() {
        plan(random.milliseconds(2_000...faultPauseMilliseconds)) { [self] in
            guard !isCalm else { return }
            attempt("a fault") { try fault() }
            for agent in agents { check(agent) }
            planFault()
        }
    }

    /// Manifests are signed again at half of their life.
    func planSignatures() {
        plan(.seconds(1_200)) { [self] in
            signAgain()
            planSignatures()
        }
    }

    private func signAgain() {
        for replica in replicas where replica.isUp {
            replica.forgetSignatures()
            for link in links where !link.isRogue && link.replica == replica.index {
                publish(on: link)
            }
        }
    }

    private func fault() throws {
        switch random.number(below: 100) {
        case 0..<40:
            authority.flip(random.number(below: agents.count))
            committed()
        case 40..<52: random.pick(links).map { breakLink($0) }
        case 52..<64: random.pick(agents).map { kill($0) }
        case 64..<72:
            random.pick(replicas).map { stop($0, for: random.milliseconds(1_000...300_000)) }
        case 72..<80: random.pick(replicas).map { freeze($0) }
        case 80..<88: random.pick(agents).map { partition($0) }
        case 88..<91:
            // Longer than any manifest lives.
            for replica in replicas { stop(replica, for: .seconds(4_000)) }
            for replica in replicas where random.chance(50) {
                restart(replica, after: .seconds(600))
            }
        case 91..<95:
            try authority.rotate(to: nextKeys(), at: timeline.now)
            committed()
        case 95..<97:
            try authority.restoreBackup(
                by: UInt64(random.number(below: 4)),
                at: timeline.now
            )
            committed()
        default: signAgain()
        }
    }

    /// The successor beside the key that signs, then alone.
    private func nextKeys() -> [Int] {
        let keys = authority.currentKeys
        guard let last = keys.last, keys.count == 1 else { return [keys.last ?? 0] }
        let next = last + 1
        return next < authority.fixture.snapshotKeys.count ? [last, next] : [last]
    }

    /// Replicas hear of a change one after the other.
    private func committed() {
        for replica in replicas {
            plan(random.milliseconds(1...2_000)) { [self] in learn(replica) }
        }
    }

    private func stop(_ replica: Replica, for pause: Duration) {
        replica.isUp = false
        for link in links where link.replica == replica.index && !link.isRogue { breakLink(link) }
        restart(replica, after: pause)
    }

    private func restart(_ replica: Replica, after pause: Duration) {
        plan(pause) { [self] in
            replica.isUp = true
            replica.forgetSignatures()
            learn(replica)
        }
    }

    private func freeze(_ replica: Replica) {
        replica.isFrozen = true
        plan(random.milliseconds(1_000...200_000)) { [self] in
            replica.isFrozen = false
            learn(replica)
        }
    }

    private func partition(_ agent: SimulatedAgent) {
        agent.isPartitioned = true
        agent.link.map { breakLink($0) }
        plan(random.milliseconds(1_000...400_000)) { agent.isPartitioned = false }
    }

    /// Kills an agent's process, spoils its files now and then, and starts it again.
    func kill(_ agent: SimulatedAgent) {
        guard agent.isRunning else { return }
        agent.die()
        tally.restarts += 1
        agent.link.map { breakLink($0) }
        if !isCalm, random.chance(20) {
            let names = agent.disk.files.keys.sorted().filter {
                $0 != SnapshotFiles.trustName && $0 != SnapshotFiles.markName
            }
            random.pick(names).map { agent.disk.damage($0, &random) }
            agent.isDamaged = true
        }
        let incarnation = agent.incarnation
        plan(random.milliseconds(100...30_000)) { [self] in
            guard agent.incarnation == incarnation, !agent.isRunning else { return }
            start(agent)
        }
    }

    /// Everything works from now on.
    func calm() {
        isCalm = true
        for agent in agents { agent.isPartitioned = false }
        for replica in replicas {
            replica.isUp = true
            replica.isFrozen = false
            learn(replica)
        }
        for link in links where link.isRogue { breakLink(link) }
    }
}
