import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import Synchronization
import TLS
import Transport
import Wire

extension DataPlaneReactor {
    /// Where a leased role's database is; nil while nobody knows that yet.
    func addresses(of lease: PostgresLease) -> [SocketAddress]? {
        let known: [Mesh.IPAddress]? =
            switch lease.account.host {
            case .address(let address): [address]
            case .name(let name): outside.value.addresses.byName[name]
            }
        return known?.map { address in
            Target(address: address, port: lease.account.port, weight: 1, isDown: false)
                .socketAddress
        }
    }
}

/// What a database's certificate turned out to be, told by the verifier of one handshake.
private final class ShownCertificate: Sendable {
    private let state = Mutex<(endPoint: [UInt8]?, refusal: PeerRefusal.Kind?)>((nil, nil))

    var endPoint: [UInt8]? { state.withLock { $0.endPoint } }
    var refusal: PeerRefusal.Kind? { state.withLock { $0.refusal } }

    func verifier(_ verify: @escaping PeerVerifier) -> PeerVerifier {
        { chain in
            let verdict = verify(chain)
            self.state.withLock { state in
                if case .refuse(let refusal) = verdict { state.refusal = refusal.kind }
                state.endPoint =
                    chain.certificates.first.flatMap { try? Certificate(der: $0) }?
                    .serverEndPoint
            }
            return verdict
        }
    }
}

// The way to the database: TLS that is verified, then a proof by SCRAM bound to it.
extension PostgresConnection {
    /// Logs in with the lease; where the database does not know its role, once more with another.
    func open(
        _ start: PostgresStart
    ) async throws(Ending) -> (PostgresLogin.Welcome, surplus: [UInt8]) {
        guard let first = lease else { throw .refused(.leaseMissing) }
        do throws(Ending) {
            return try await logIn(start, first)
        } catch {
            guard case .refused(_, let sqlState, _) = error, sqlState.hasPrefix("28") else {
                throw error
            }
            lane.value.postgres.discard(first.account.lease)
            guard let next = await usableLease(otherThan: first.account.lease) else { throw error }
            lease = next
            return try await logIn(start, next)
        }
    }

    private func logIn(
        _ start: PostgresStart,
        _ lease: PostgresLease
    ) async throws(Ending) -> (PostgresLogin.Welcome, surplus: [UInt8]) {
        var login = PostgresLogin(
            account: PostgresLogin.Account(
                role: lease.account.role,
                database: start.database ?? lease.account.database,
                keys: lease.keys
            ),
            options: start.options,
            random: Randomness.bytes(SCRAMClient.nonceByteCount)
        )
        let (stream, endPoint) = try await secure(lease) { answer throws(PostgresLoginFault) in
            try login.tlsWasAnswered(answer)
        }
        target = stream
        do {
            try await stream.write(try login.begin(endPoint: endPoint))
            let deadline = reactor.now.advanced(by: lane.value.settings.handshakeTimeout)
            while let bytes = try await stream.read(deadline: deadline) {
                var offset = 0
                while true {
                    let step = try login.receive(bytes.span, from: &offset)
                    if case .wait = step { break }
                    if case .send(let answer) = step { try await stream.write(answer) }
                    if case .ready(let welcome) = step { return (welcome, Array(bytes[offset...])) }
                }
            }
            throw Ending.refused(.targetRefused, "it ended the connection")
        } catch {
            target = nil
            await stream.close()
            if let ending = error as? Ending { throw ending }
            guard let fault = error as? PostgresLoginFault else {
                throw .refused(.connectFailed, "\(error)")
            }
            throw Self.ending(fault)
        }
    }

    private static func ending(_ fault: PostgresLoginFault) -> Ending {
        switch fault {
        case .refused(let sqlState):
            .refused(
                .refused(.targetRefused),
                sqlState: sqlState ?? "08004",
                detail: "the database answered \(sqlState ?? "without a code")"
            )
        case .noTLS, .surplusBeforeTLS: .refused(.outsideTLSFailed, "\(fault)")
        case .weakMethod, .noProof, .proof, .unexpected, .protocolFault:
            .refused(.targetRefused, "\(fault)")
        }
    }

    /// Connects and speaks TLS, which the target is asked for; its certificate must lead to one of the
    /// lease's authorities and hold its host's name.
    private func secure(
        _ lease: PostgresLease,
        _ taken: ([UInt8]) throws(PostgresLoginFault) -> Void
    ) async throws(Ending) -> (StreamConnection, endPoint: [UInt8]?) {
        let settings = lane.value.settings
        var latest = Ending.refused(.connectFailed)
        let addresses = lane.value.addresses(of: lease) ?? []
        for address in addresses.prefix(DataPlaneLimits.attemptsMax) {
            let shown = ShownCertificate()
            let stream: StreamConnection
            do throws(StreamError) {
                stream = try await StreamConnection.open(
                    to: address,
                    on: reactor,
                    security: security(of: lease.account, shown),
                    deadline: reactor.now.advanced(by: settings.connectTimeout)
                )
            } catch {
                latest = .refused(.connectFailed, "\(error)")
                continue
            }
            do {
                let deadline = reactor.now.advanced(by: settings.handshakeTimeout)
                try taken(try await stream.ask(PostgresLogin.tlsRequest, deadline: deadline))
                try await stream.handshake(deadline: deadline)
                return (stream, shown.endPoint)
            } catch {
                await stream.close()
                if let fault = error as? PostgresLoginFault { throw Self.ending(fault) }
                let reason: DecisionReason =
                    switch shown.refusal {
                    case nil: .outsideTLSFailed
                    case .otherIdentity?: .outsideNameMismatch
                    default: .outsideUntrusted
                    }
                throw .refused(reason, "\(error)")
            }
        }
        throw latest
    }

    private func security(
        of account: LeasedAccount,
        _ shown: ShownCertificate
    ) -> StreamSecurity {
        let lane = lane.value
        var serverName: String?
        if case .name(let name) = account.host { serverName = name.text }
        let verifier = HostNameVerifier(
            roots: account.authorities.compactMap { try? Certificate(der: $0) },
            host: account.host.description,
            clock: lane.settings.now
        ).verifier
        return .client(
            lane.outsideContext,
            serverName: serverName,
            credentials: nil,
            verifier: shown.verifier(verifier)
        )
    }

    /// Passes a request to cancel on to the target of the session that its key stands for.
    func cancel(_ key: PostgresCancelKey) async {
        let lane = lane.value
        guard let session = lane.postgres.session(of: key, port: visitor.port), let lease,
            let (stream, _) = try? await secure(
                lease,
                { answer throws(PostgresLoginFault) in
                    guard answer == [UInt8(ascii: "S")] else { throw .noTLS }
                }
            )
        else { return }
        let request = PostgresWriting.cancel(
            process: session.key.process,
            key: session.key.secret
        )
        lane.logger.info("cancelling a statement", ["port": .integer(visitor.port)])
        if (try? await stream.write(request)) != nil {
            // The target hangs up when it has done it.
            await stream.discardInput(
                deadline: reactor.now.advanced(by: lane.settings.handshakeTimeout),
                byteCountMax: DataPlaneLimits.lingerByteCountMax
            )
        }
        await stream.close()
    }
}
