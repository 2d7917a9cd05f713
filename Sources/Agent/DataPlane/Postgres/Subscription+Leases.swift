import Crypto
import Mesh
import Observability
import Snapshot
import Wire

// The control side keeps a leased role ready for each workload that may reach a database.
extension Subscription {
    /// Bytes of a leased role's password.
    private static let passwordByteCount = 24

    /// Asks for what is needed and due, gives back what is not needed any more; called with every tick.
    func followLeases() {
        guard let snapshot, !isStopping else { return }
        let now = settings.now()
        var needs: [LeaseNeed: UInt16] = [:]
        for (port, route) in snapshot.routesByPort {
            guard let access = route.upstream.postgres,
                snapshot.decide(programAt: port, now: now).isAllowed
            else { continue }
            let need = LeaseNeed(source: route.upstream.source, profile: access.profile)
            needs[need] = min(needs[need] ?? port, port)
        }
        guard !needs.isEmpty || !leaseBook.isEmpty else { return }
        let isLess = leaseBook.follow(needs)
        let isUseless = leaseBook.discard(dataPlane.postgres.takeDiscarded())
        if isLess || isUseless { publishLeases() }
        guard connection != nil else { return }
        for request in leaseBook.due(now: now, keys: Self.freshKeys) {
            send(.leaseRequest(request))
        }
    }

    private static func freshKeys() -> SCRAM.Keys? {
        let password = Base64.encode(Randomness.bytes(passwordByteCount))
        return try? SCRAM.Keys(
            of: SecretBytes(copying: Array(password.utf8)),
            salt: Randomness.bytes(SCRAM.saltByteCount)
        )
    }

    func received(_ answer: AgentLeaseAnswer) {
        if let error = answer.error {
            logger.warning("no lease from the server", ["problem": .text(error)])
        }
        let now = settings.now()
        guard leaseBook.received(answer, now: now, jitter: settings.jitter()) else { return }
        if let account = answer.account {
            logger.info(
                "holding a lease",
                [
                    "lease": .describing(account.lease),
                    "ends": .text((now + account.remaining).rfc3339),
                ]
            )
        }
        publishLeases()
        if let snapshot { lookUp(snapshot) }
    }

    private func publishLeases() {
        let leases = leaseBook.leases
        let dataPlane = dataPlane
        let before = enforcing
        enforcing = Task {
            await before?.value
            await dataPlane.apply(leases)
        }
    }
}
