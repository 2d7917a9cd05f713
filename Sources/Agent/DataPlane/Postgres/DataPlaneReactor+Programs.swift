import Mesh
import Observability
import Reactor
import Snapshot
import Transport
import Wire

// Sessions of local programs with databases.
extension DataPlaneReactor {
    /// Takes a program's connection in; it is registered before anything is decided about it.
    func acceptedProgram(
        _ descriptor: consuming Descriptor,
        _ peer: SocketAddress,
        port: UInt16
    ) {
        metrics.outbound.increment()
        var uid: UInt32?
        if let own = try? descriptor.localAddress(),
            case .owner(let owner) = reactor.ownerOfClient(peer, server: own)
        {
            uid = owner
        }
        let isFull = connectionCount >= connectionsMax || memory?.isShedding == true
        guard !isFull, !isDraining, let box,
            let stream = try? StreamConnection(
                descriptor,
                peerAddress: peer,
                on: reactor,
                security: .none
            )
        else {
            record(
                .refused(isDraining ? .agentDraining : .overloaded),
                source: nil,
                destination: nil,
                peerAddress: peer,
                detail: nil
            )
            return
        }
        let program = PostgresConnection(
            stream,
            visitor: PostgresConnection.Visitor(uid: uid, port: port, address: peer),
            lane: box
        )
        programs[ObjectIdentifier(program)] = program
        watchClosely()
        Task { await program.run() }
    }

    func programEnded(_ program: PostgresConnection) {
        programs[ObjectIdentifier(program)] = nil
    }

    /// Decides every session again, in the pass in which all connections are.
    func decidePrograms(_ configuration: EnforcedConfiguration, now: Timestamp) {
        for program in programs.values {
            program.assumeIsolated { $0.decideAgain(configuration, now: now) }
        }
    }

    /// Ends the sessions whose lease ends.
    func checkLeases(now: Timestamp) {
        for program in programs.values { program.assumeIsolated { $0.checkLease(now: now) } }
    }

    /// Takes over which roles are leased; sessions of one that was renewed live as long as that.
    func apply(_ leases: [LeaseNeed: PostgresLease]) {
        self.leases = leases
        for program in programs.values { program.assumeIsolated { $0.follow(leases) } }
    }

    func cutPrograms(_ ruling: Ruling) {
        for program in programs.values { program.assumeIsolated { $0.cut(ruling) } }
    }
}
