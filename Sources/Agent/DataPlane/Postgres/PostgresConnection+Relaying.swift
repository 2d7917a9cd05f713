import Mesh
import Observability
import Reactor
import Snapshot
import Transport
import Wire

// Bytes in both directions, each looked at by the session.
extension PostgresConnection {
    /// Relays until one of the sides ends.
    func relay(with target: StreamConnection, _ surplus: [UInt8]) async {
        let sending = Task { await self.passStatements(to: target) }
        await passAnswers(of: target, surplus)
        end()
        await sending.value
    }

    private func passStatements(to target: StreamConnection) async {
        var reads = 0
        while !isOver, let bytes = try? await application.read() {
            let passage: PostgresPassage
            do throws(PostgresFault) {
                let judged = try session?.receiveFromApplication(bytes.span, at: reactor.now)
                guard let judged else { break }
                passage = judged
            } catch {
                broke("the program", error)
                break
            }
            noteStatements()
            let next = passage.whole(of: bytes)
            amounts.bytesSent &+= UInt64(next.count)
            if !next.isEmpty, (try? await target.write(next)) == nil { break }
            guard !isOver else { break }
            if session?.hasTerminated == true {
                // It hangs up by itself, or is hung up on.
                let reactor = reactor
                Task {
                    try? await reactor.sleep(for: PostgresLimits.farewellTimeout)
                    await target.close()
                }
                return
            }
            while session?.isFull == true, !isOver {
                await withCheckedContinuation { roomWaiter = $0 }
            }
            reads += 1
            if reads % PostgresLimits.readsPerTurnMax == 0 { await Task.yield() }
        }
        await target.close()
    }

    private func passAnswers(of target: StreamConnection, _ surplus: [UInt8]) async {
        var bytes = surplus
        var reads = 0
        while !isOver {
            if !bytes.isEmpty {
                let passage: PostgresPassage
                do throws(PostgresFault) {
                    let seen = try session?.receiveFromTarget(bytes.span, at: reactor.now)
                    guard let seen else { return }
                    passage = seen
                } catch {
                    return broke("the database", error)
                }
                noteStatements()
                resumeProgram()
                let next = passage.whole(of: bytes)
                amounts.bytesReceived &+= UInt64(next.count)
                if !next.isEmpty, await !say(next) { return }
                guard !isOver else { return }
                if isDraining, session?.isIdle == true { return expire() }
            }
            guard let next = try? await target.read() else { return }
            bytes = next
            reads += 1
            if reads % PostgresLimits.readsPerTurnMax == 0 { await Task.yield() }
        }
    }

    private func resumeProgram() {
        guard session?.isFull != true else { return }
        roomWaiter?.resume()
        roomWaiter = nil
    }

    /// Tells of statements that were refused; what was done with the others is in flows.
    private func noteStatements() {
        guard let taken = session?.takeRecords(), let permit else { return }
        for statement in taken.records {
            guard case .refused(let refusal) = statement.outcome else { continue }
            lane.value.logger.info(
                "a statement was refused",
                [
                    "reason": .text(refusal.rawValue), "source": .describing(permit.source),
                    "destination": .describing(permit.destination),
                    "lease": .text(lease?.account.lease.description ?? "-"),
                    "fingerprint": .text(statement.fingerprint?.hash ?? "-"),
                ]
            )
        }
    }

    private func broke(_ side: String, _ fault: PostgresFault) {
        record(.refused(.malformedRequest), detail: "\(side): \(fault)")
        end(telling: session?.farewell("\(side) broke the protocol") ?? [])
    }
}

extension PostgresPassage {
    /// All of it; the bytes given themselves where nothing was held back or replaced.
    fileprivate func whole(of input: [UInt8]) -> [UInt8] {
        bytes.isEmpty && range == input.indices ? input : all(of: input.span)
    }
}

// Ends.
extension PostgresConnection {
    /// Decides a session again; cuts it when it is no longer allowed.
    func decideAgain(_ configuration: EnforcedConfiguration, now: Timestamp) {
        guard !isOver, let permit, let uid = visitor.uid else { return }
        let snapshot = configuration.snapshot
        guard let route = snapshot.routesByPort[visitor.port], route.upstream.postgres == access
        else { return cut(.refused(.policyChanged)) }
        if case .refused(let reason) = configuration.identity(of: route.upstream.source, at: now),
            reason == .leafRevoked || now >= snapshot.expires
        {
            return cut(.refused(reason))
        }
        switch ConnectionPermit.program(
            uid: uid,
            port: visitor.port,
            snapshot: snapshot,
            now: now
        ) {
        case .success(let renewed)
        where renewed.source == permit.source && renewed.destination == permit.destination:
            self.permit = renewed
        case .success: cut(.refused(.policyChanged))
        case .failure(let refusal):
            let ruling = refusal.ruling
            cut(
                Ruling(
                    verdict: .deny,
                    reason: permit.revision == snapshot.revision ? ruling.reason : .policyChanged,
                    ruleID: ruling.ruleID,
                    precedence: ruling.precedence
                )
            )
        }
    }

    /// Takes over how long the session's lease lives now.
    func follow(_ leases: [LeaseNeed: PostgresLease]) {
        let known = lease?.account.lease
        if let renewed = leases.values.first(where: { $0.account.lease == known }) {
            lease = renewed
        }
    }

    /// Ends the session in time before its lease does.
    func checkLease(now: Timestamp) {
        guard !isOver, let session, let lease else { return }
        report()
        switch lease.deadline.duty(at: now, isIdle: session.isIdle) {
        case .serve: isDraining = false
        case .drain: isDraining = true
        case .end where session.isIdle: expire()
        case .end: cut(.refused(.leaseEnded))
        }
    }

    /// Ends an idle session, which costs its program nothing but a new connection.
    private func expire() {
        end(telling: session?.farewell() ?? [])
    }

    /// Cuts a session that was allowed before, with a decision on record.
    func cut(_ ruling: Ruling) {
        guard !isOver else { return }
        lane.value.metrics.cuts.increment()
        let id = record(ruling, detail: nil)
        end(telling: session?.farewell("the agent ended the session: decision \(id)") ?? [])
    }

    /// Ends both sides, the database's at once; the program may take a moment to read why.
    func end(telling bytes: [UInt8] = []) {
        guard !isOver else { return }
        isOver = true
        roomWaiter?.resume()
        roomWaiter = nil
        let (application, target, reactor) = (application, target, reactor)
        Task {
            await target?.close()
            if !bytes.isEmpty { try? await application.write(bytes) }
            await application.close()
        }
        Task {
            try? await reactor.sleep(for: PostgresLimits.farewellTimeout)
            await application.abort()
        }
    }

    /// Tells a program why it gets no session.
    func tell(_ ending: Ending) async {
        switch ending {
        case .left: break
        case .told(let bytes): await say(bytes)
        case .refused(let ruling, let sqlState, let detail):
            let id = record(ruling, detail: detail)
            await say(
                PostgresWriting.error(
                    isFatal: true,
                    sqlState: sqlState,
                    message: "the agent refuses the session: decision \(id)"
                )
            )
        }
    }

    @discardableResult
    func record(_ ruling: Ruling, detail: String?) -> UUIDv7 {
        let lane = lane.value
        let upstream = lane.configuration?.snapshot.routesByPort[visitor.port]?.upstream
        return lane.record(
            ruling,
            source: permit?.source,
            destination: permit?.destination ?? upstream?.destination,
            peerAddress: visitor.address,
            detail: detail
        )
    }

    /// Brings what moved since the last time to the flows.
    func report() {
        guard let permit, amounts != FlowAmounts() else { return }
        let lane = lane.value
        lane.metrics.bytesSent.increment(by: Int(clamping: amounts.bytesSent))
        lane.metrics.bytesReceived.increment(by: Int(clamping: amounts.bytesReceived))
        lane.evidence.count(permit, amounts, now: lane.settings.now())
        amounts = FlowAmounts()
    }

    func settleCircuit() {
        guard isPending else { return }
        isPending = false
        circuit?.settled()
    }

    /// Gives back everything and leaves the registry.
    func leave() async {
        settleCircuit()
        circuit?.ended()
        circuit = nil
        if let ownKey { lane.value.postgres.remove(ownKey) }
        if isCounted {
            lane.value.metrics.openOutbound.add(-1)
            amounts.closed = 1
            report()
        }
        if !isOver {
            isOver = true
            await target?.close()
            await application.close()
        }
        lane.value.programEnded(self)
    }
}
