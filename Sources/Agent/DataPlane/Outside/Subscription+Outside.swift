import Mesh
import Observability
import Reactor
import Snapshot

// The control side finds out where the names of external targets lead, on threads of their own: a
// resolver that hangs holds neither traffic nor the way to the servers up.
extension Subscription {
    /// Looks up what a snapshot names.
    func lookUp(_ snapshot: ValidatedSnapshot) {
        guard !isStopping else { return }
        let names = snapshot.hostedByMeshName.values.compactMap { hosted -> HostName? in
            guard case .name(let name)? = hosted.external?.host else { return nil }
            return name
        }
        outsideNames.configured(Set(names), now: reactor.now)
        publishOutside()
        lookUpDue()
    }

    /// Asks for the names that are due; called with every tick.
    func lookUpDue() {
        guard !isStopping else { return }
        for name in outsideNames.takeDue(now: reactor.now) {
            guard let threads = outsideThreads() else {
                answered(name, .noAnswer)
                continue
            }
            Task {
                let answer: OutsideNames.Answer
                do throws(WorkerPool.Refusal) {
                    answer = try await threads.run { Self.addresses(of: name) }
                } catch {
                    answer = .noAnswer
                }
                self.answered(name, answer)
            }
        }
    }

    private func outsideThreads() -> WorkerPool? {
        if let outsidePool { return outsidePool }
        outsidePool = try? WorkerPool(
            name: "outside",
            threadCount: OutsideNames.lookupsMax,
            queuedMax: OutsideNames.lookupsMax
        )
        return outsidePool
    }

    private func answered(_ name: HostName, _ answer: OutsideNames.Answer) {
        if case .addresses = answer {
        } else {
            logger.warning("an external target's name was not found", ["name": .text(name.text)])
        }
        guard outsideNames.answered(name, answer, now: reactor.now) else { return }
        publishOutside()
    }

    private func publishOutside() {
        let addresses = outsideNames.addresses
        guard addresses != outsideAddresses else { return }
        outsideAddresses = addresses
        Task { await self.dataPlane.apply(self.outsideAddresses) }
        if let snapshot { probe(snapshot) }
    }

    /// Blocks for as long as name servers take.
    private nonisolated static func addresses(of name: HostName) -> OutsideNames.Answer {
        do throws(NameResolutionError) {
            let found = try NameResolver.addresses(of: name.text, port: 1)
            return .addresses(
                found.compactMap { address in
                    address.ipAddress.flatMap { Mesh.IPAddress(bytes: $0.bytes) }
                }
            )
        } catch {
            return switch error {
            case .unknownHost: .unknownName
            case .noAnswer: .noAnswer
            }
        }
    }
}
