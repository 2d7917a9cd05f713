package import Mesh
package import Store
package import Wire

/// What a replica says about itself and its cluster.
package struct Status: Equatable, Sendable {
    package let clusterID: UUIDv7
    package let trustDomain: TrustDomain
    package let server: Mesh.ServerName
    package let version: String
    package let revision: Int64
    package let servers: [ServerRow]
    /// Live tokens with the policy `admin`, the bootstrap token included.
    package let administratorCount: Int
    /// When the bootstrap token ends, while one is live: the cluster has no administrator yet.
    package let bootstrapExpiresAt: Timestamp?
    /// Rows that somebody wrote behind the server's back.
    package let rowAlarms: [RowAlarm]
    /// What signs now, with how close to its end it is.
    package let authorities: [Signer]

    /// A CA that signs now.
    package struct Signer: Equatable, Sendable {
        package let kind: String
        package let notAfter: Timestamp
        package let zone: LifeZone
    }
}

extension Status.Signer {
    init(_ row: AuthorityRow, at now: Timestamp) {
        let life = row.notAfter.duration(since: row.notBefore).nanosecondsClamped
        let used = now.duration(since: row.notBefore).nanosecondsClamped
        self.init(
            kind: row.kind.rawValue,
            notAfter: row.notAfter,
            zone: LifeZone(share: Double(used) / Double(max(life, 1)))
        )
    }
}

extension ControlPlane {
    /// What this replica and its cluster look like now.
    package func status() async throws(ControlError) -> Status {
        try await read { database in
            let now = try await ServerRepository.time(in: database)
            let administrators = try await TokenRepository.live(
                holding: BuiltInPolicies.adminName,
                at: now,
                guardedBy: rowGuard,
                in: database
            )
            return Status(
                clusterID: cluster.id,
                trustDomain: trustDomain,
                server: serverName,
                version: version,
                revision: try await RevisionRepository.current(in: database),
                servers: try await ServerRepository.list(in: database),
                administratorCount: administrators.count,
                bootstrapExpiresAt: administrators.first { $0.kind == .bootstrap }?.expiresAt,
                rowAlarms: try await RowAlarmRepository.list(in: database),
                authorities: try await AuthorityRepository.list(guardedBy: rowGuard, in: database)
                    .filter { $0.state == .active }
                    .map { row in Status.Signer(row, at: now) }
            )
        }
    }

    /// Says which addresses this replica listens on, once it does.
    ///
    /// Refused where the wrap of its key-encryption key was removed since it read it: it could not be
    /// started again.
    package func announce(
        apiAddress: String,
        agentAddress: String
    ) async throws(ControlError) {
        try await write { database in
            // Whoever retires a key holds this, and then looks who works with it.
            try await ClusterRepository.lockIdentity(in: database)
            try await demandKeyEncryptionKey(in: database)
            try await ServerRepository.announce(
                serverName.text,
                apiAddress: apiAddress,
                agentAddress: agentAddress,
                version: version,
                keyEncryptionKeyID: keyring.keyEncryptionKeyID,
                in: database
            )
        }
    }

    /// One round of what must happen every few seconds: a sign of life, refusals and alarms.
    package func keepHouse() async throws(ControlError) {
        try await write { database in
            try await ServerRepository.touch(serverName.text, in: database)
        }
        try await keepRefusals()
        await keepAlarms()
    }
}
