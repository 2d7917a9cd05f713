import Mesh
package import Observability
package import Postgres
import Store
import Wire

/// A failure inside the start transaction that is not the database's.
private struct StartFailure: Error {
    let error: StartError
}

extension ControlPlane {
    /// How often a replica waits for the lock that another one holds while it starts.
    private static let lockAttemptsMax = 12

    /// Whether a migrated database holds a cluster: then its keys exist and none may be made up.
    package static func isFounded(
        _ pool: PostgresPool,
        logger: Logger
    ) async throws(StartError) -> Bool {
        do throws(PostgresError) {
            return try await pool.withTransaction(isolation: .readCommitted, access: .readOnly) {
                database throws(PostgresError) in
                try await ClusterRepository.find(in: database) != nil
            }
        } catch {
            throw .refused(ControlError(SpineFailure.database(error), logger: logger))
        }
    }

    /// Opens a migrated database: the first replica makes the cluster, all others find it.
    ///
    /// The lock on the revision makes replicas start one after the other. A cluster without a live
    /// administrator gets a new bootstrap token, which is only in the file that `firstStart`
    /// writes.
    package static func open(
        _ settings: ControlSettings,
        pool: PostgresPool,
        key: KeyEncryptionKey,
        surroundings: Surroundings,
        firstStart: FirstStart
    ) async throws(StartError) -> ControlPlane {
        do throws(NameError) {
            try settings.trustDomain.checkServing()
        } catch {
            throw .invalidTrustDomain(error)
        }
        let spine = Spine(
            pool: pool,
            writer: "server/\(settings.serverName)",
            makeID: surroundings.makeID
        )
        var attempt = 1
        while true {
            let opening = Opening(
                settings: settings,
                spine: spine,
                key: key,
                surroundings: surroundings,
                firstStart: firstStart
            )
            do throws(SpineFailure) {
                let control = try await spine.change(opening.entry) { change in
                    try await opening.run(change)
                }
                await control.keepAlarms()
                return control
            } catch {
                guard error.postgresError?.state == .lockNotAvailable else {
                    throw opening.startError(error)
                }
                guard attempt < lockAttemptsMax else { throw .locked }
                attempt += 1
            }
        }
    }
}

/// One start of a replica, as the body of a transaction.
private struct Opening {
    let settings: ControlSettings
    let spine: Spine
    let key: KeyEncryptionKey
    let surroundings: Surroundings
    let firstStart: FirstStart

    var entry: AuditEntry {
        AuditEntry(
            actor: spine.writer,
            action: "server.start",
            resource: "servers/\(settings.serverName)",
            detail: ["version": .string(settings.version)]
        )
    }

    func run(_ change: ChangeTransaction) async throws -> ControlPlane {
        let existing = try await ClusterRepository.find(in: change.database)
        var keyring =
            if let existing {
                try await openKeyring(of: existing, change)
            } else {
                try await createKeyring(change)
            }
        let made = try keyring.complete(randomBytes: surroundings.randomBytes)
        for key in made { try await KeyRepository.insert(key, in: change.database) }
        let control = ControlPlane(
            spine: spine,
            keyring: keyring,
            settings: settings,
            surroundings: surroundings
        )
        // A mount's head is made with the key for secrets and never again: one that is missing later
        // was taken away.
        if made.contains(where: { $0.purpose == Keyring.Purpose.kv.rawValue }) {
            try await control.secrets.found(at: change.at, in: change.database)
        }
        if existing == nil {
            for step in firstStart.steps { try await step(control, change) }
        }
        if let token = try await control.tokens.bootstrap(in: change) {
            do {
                try firstStart.writeBootstrapToken(token)
            } catch {
                throw StartFailure(error: .bootstrapFile("\(error)"))
            }
        }
        return control
    }

    private func createKeyring(_ change: ChangeTransaction) async throws -> Keyring {
        let cluster = ClusterRow(
            id: surroundings.makeID(change.at),
            trustDomain: settings.trustDomain,
            createdAt: change.at
        )
        try await ClusterRepository.insert(cluster, in: change.database)
        let (keyring, wrapped) = try Keyring.create(
            for: cluster,
            under: key,
            randomBytes: surroundings.randomBytes
        )
        try await KeyRepository.insert(wrapped, in: change.database)
        change.audited.audit(
            AuditEntry(actor: spine.writer, action: "cluster.create", resource: "cluster")
        )
        return keyring
    }

    private func openKeyring(
        of cluster: ClusterRow,
        _ change: ChangeTransaction
    ) async throws -> Keyring {
        guard cluster.trustDomain == settings.trustDomain else {
            throw StartFailure(
                error: .otherTrustDomain(
                    database: cluster.trustDomain,
                    configured: settings.trustDomain
                )
            )
        }
        return try Keyring.open(
            for: cluster,
            under: key,
            roots: try await KeyRepository.rootKeys(in: change.database),
            keys: try await KeyRepository.keyring(in: change.database)
        )
    }

    func startError(_ failure: SpineFailure) -> StartError {
        switch failure {
        case .body(let error as StartFailure): return error.error
        case .body(let error as KeyError): return .keys(error)
        case .body(let error as StartError): return error
        case .body, .database, .tooManyChanges:
            return .refused(ControlError(failure, logger: surroundings.logger))
        }
    }
}
