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
        let hosts = snapshot.hostedByMeshName.values.compactMap { $0.external?.host }
        let names = (hosts + leaseBook.hosts).compactMap { host -> HostName? in
            guard case .name(let name) = host else { return nil }
            return name
        }
        outsideNames.configured(Set(names), now: reactor.now)
        unresolvedNames.formIntersection(names)
        readOwnAddresses()
        publishOutside()
        lookUpDue()
    }

    /// Asks for the names that are due, and for the host's own addresses; called with every tick.
    func lookUpDue() {
        guard !isStopping else { return }
        if let read = ownAddressesReadAt, reactor.now >= read + OutsideNames.refreshInterval {
            readOwnAddresses()
            publishOutside()
        }
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
            if unresolvedNames.remove(name) != nil {
                logger.info("an external target's name is found again", ["name": .text(name.text)])
            }
        } else if unresolvedNames.insert(name).inserted {
            logger.warning("an external target's name was not found", ["name": .text(name.text)])
        }
        _ = outsideNames.answered(name, answer, now: reactor.now)
        readOwnAddresses()
        publishOutside()
    }

    /// Finds out which addresses lead back to this host; they change as names do.
    ///
    /// Where the kernel does not tell, what it told before counts; without that, no target is reached.
    private func readOwnAddresses() {
        guard snapshot?.hostedByMeshName.values.contains(where: { $0.external != nil }) == true
        else {
            ownAddressesReadAt = nil
            return
        }
        ownAddressesReadAt = reactor.now
        do throws(SystemError) {
            ownAddresses = Set(
                try OwnAddresses.read().compactMap { Mesh.IPAddress(bytes: $0.bytes) }
            )
        } catch {
            logger.error(
                "the host's own addresses cannot be read",
                ["problem": .describing(error)]
            )
        }
    }

    private func publishOutside() {
        var addresses = outsideNames.addresses
        addresses.own = ownAddresses
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
