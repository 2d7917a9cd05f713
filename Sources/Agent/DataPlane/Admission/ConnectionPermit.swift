package import Mesh
package import Snapshot
package import Wire

/// The right to relay one connection; without one no relay begins.
///
/// Only the functions below make one. It holds what evidence needs for as long as the
/// connection lives.
package struct ConnectionPermit: Equatable, Sendable {
    /// In whose name the connection was made.
    package let source: SPIFFEID
    /// Who is reached.
    package let destination: ServiceName
    /// The rule that allows it; nil at the source's side, which asks no rules.
    package let ruling: Ruling?
    /// The revision of the snapshot that allowed it.
    package let revision: UInt64

    private init(source: SPIFFEID, destination: ServiceName, ruling: Ruling?, revision: UInt64) {
        self.source = source
        self.destination = destination
        self.ruling = ruling
        self.revision = revision
    }

    /// Decides a connection that reached the mesh port.
    ///
    /// - Parameters:
    ///   - peer: the SPIFFE id that the peer proved.
    ///   - serverName: the name that it asked for.
    ///   - snapshot: what is enforced.
    ///   - now: the wall clock.
    /// - Returns: the permit, or why there is none.
    package static func inbound(
        peer: SPIFFEID,
        serverName: String,
        snapshot: ValidatedSnapshot,
        now: Timestamp
    ) -> Result<ConnectionPermit, Refusal> {
        guard case .service(let service) = peer.subject else {
            return .failure(Refusal(ruling: .refused(.notAService), destination: nil))
        }
        let ruling = snapshot.decide(
            name: serverName,
            source: SourceIdentity(trustDomain: peer.trustDomain, service: service),
            question: .connection(requestsAreJudged: false),
            now: now
        )
        let destination = snapshot.hostedByMeshName[serverName]?.service
        guard ruling.isAllowed, let destination else {
            return .failure(Refusal(ruling: ruling, destination: destination))
        }
        return .success(
            ConnectionPermit(
                source: peer,
                destination: destination,
                ruling: ruling,
                revision: snapshot.revision
            )
        )
    }

    /// Decides a local user's connection to an upstream port.
    ///
    /// - Parameters:
    ///   - uid: the user who owns the connecting socket.
    ///   - port: the upstream port.
    ///   - snapshot: what is enforced.
    /// - Returns: the permit, or why there is none.
    package static func outbound(
        uid: UInt32,
        port: UInt16,
        snapshot: ValidatedSnapshot
    ) -> Result<ConnectionPermit, Refusal> {
        guard let route = snapshot.routesByPort[port] else {
            return .failure(Refusal(ruling: .refused(.noSuchService), destination: nil))
        }
        let destination = route.upstream.destination
        guard route.upstream.users.allows(uid: uid) else {
            return .failure(Refusal(ruling: .refused(.uidNotAllowed), destination: destination))
        }
        return .success(
            ConnectionPermit(
                source: SPIFFEID(service: route.upstream.source, in: snapshot.trustDomain),
                destination: destination,
                ruling: nil,
                revision: snapshot.revision
            )
        )
    }

    /// Decides a local user's session at a port that speaks PostgreSQL, where this agent also asks the
    /// destination's rules.
    package static func program(
        uid: UInt32,
        port: UInt16,
        snapshot: ValidatedSnapshot,
        now: Timestamp
    ) -> Result<ConnectionPermit, Refusal> {
        outbound(uid: uid, port: port, snapshot: snapshot).flatMap { permit in
            let ruling = snapshot.decide(programAt: port, now: now)
            guard ruling.isAllowed else {
                return .failure(Refusal(ruling: ruling, destination: permit.destination))
            }
            return .success(permit.renewed(ruling, revision: snapshot.revision))
        }
    }

    /// The same connection, allowed again by what is enforced now.
    func renewed(_ ruling: Ruling, revision: UInt64) -> ConnectionPermit {
        ConnectionPermit(
            source: source,
            destination: destination,
            ruling: ruling,
            revision: revision
        )
    }

    /// Why there is no permit.
    package struct Refusal: Error, Equatable, Sendable {
        /// The verdict with its reason.
        package let ruling: Ruling
        /// The service that was asked for, if there is such a one.
        package let destination: ServiceName?
    }
}
