import Crypto
import Mesh
import Postgres
import Reactor
import Store
import Support
import Synchronization
import Testing
import Wire

@Suite struct AuthorityRepositoryTests {
    private let at = Timestamp(secondsSinceEpoch: 1_700_000_000)

    private let rowGuard = RowGuard(
        keys: [1: SecretBytes(copying: [UInt8](repeating: 9, count: 32))],
        activeVersion: 1
    ) { _ in }

    private func id(_ byte: UInt8) -> UUIDv7 {
        UUIDv7(timestamp: at, random: [UInt8](repeating: byte, count: UUIDv7.randomByteCount))
    }

    private func authority(
        _ number: UInt8,
        _ kind: AuthorityRow.Kind,
        _ state: AuthorityRow.State = .active
    ) -> AuthorityRow {
        AuthorityRow(
            id: id(number),
            kind: kind,
            state: state,
            issuer: nil,
            certificate: [number],
            sealedKey: [number, 1],
            notBefore: at,
            notAfter: at + .seconds(60)
        )
    }

    private func certificate(_ number: UInt8, agent: AgentName) throws -> CertificateRow {
        CertificateRow(
            serial: [number],
            kind: .agent,
            spiffeID: "spiffe://example.org/agent/\(agent)",
            agent: agent,
            service: nil,
            issuer: id(1),
            spkiHash: [number],
            notBefore: at,
            notAfter: Timestamp(secondsSinceEpoch: 4_000_000_000)
        )
    }

    private func with(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            let pool = database.pool()
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(pool))
            } catch {
                outcome = .failure(error)
            }
            await pool.close()
            try outcome.get()
        }
    }

    @Test func oneOfEachKindIsActive() async throws {
        try await with { pool in
            let rows = [
                authority(1, .root), authority(2, .api), authority(3, .intermediate),
                authority(4, .root, .prepared),
            ]
            let stored = try await pool.transaction { database in
                for row in rows { try await AuthorityRepository.insert(row, in: database) }
                return try await AuthorityRepository.list(guardedBy: rowGuard, in: database)
            }
            #expect(stored == rows)
            await #expect(throws: (any Error).self) {
                try await pool.transaction { database in
                    try await AuthorityRepository.insert(authority(5, .root), in: database)
                }
            }
        }
    }

    @Test func certificatesComeInPagesTheLatestFirst() async throws {
        try await with { pool in
            let one = try AgentName("a-1")
            let two = try AgentName("a-2")
            for number in UInt8(1)...5 {
                // A transaction each: they are ordered by when they were issued.
                try await pool.transaction { database in
                    if number == 1 {
                        try await AuthorityRepository.insert(authority(1, .root), in: database)
                    }
                    try await CertificateRepository.insert(
                        certificate(number, agent: number == 3 ? two : one),
                        in: database
                    )
                }
            }
            let pages = try await pool.transaction { database in
                let first = try await CertificateRepository.list(
                    spiffeID: nil,
                    agent: nil,
                    after: nil,
                    limit: 2,
                    in: database
                )
                let rest = try await CertificateRepository.list(
                    spiffeID: "spiffe://example.org/agent/a-1",
                    agent: one,
                    after: first.next,
                    limit: 10,
                    in: database
                )
                return [first, rest]
            }
            #expect(pages.map { $0.items.map(\.serial) } == [[[5], [4]], [[2], [1]]])
            #expect(pages.map(\.next) == ["04", nil])
        }
    }

    @Test func revokingKeepsOneKeyAndOtherAgents() async throws {
        try await with { pool in
            let one = try AgentName("a-1")
            let two = try AgentName("a-2")
            let revoked = try await pool.transaction { database in
                try await AuthorityRepository.insert(authority(1, .root), in: database)
                for number in UInt8(1)...3 {
                    try await CertificateRepository.insert(
                        certificate(number, agent: number == 3 ? two : one),
                        in: database
                    )
                }
                try await CertificateRepository.revokeAgent(one, keeping: [2], in: database)
                var revoked: [Bool] = []
                for number in UInt8(1)...3 {
                    let row = try await CertificateRepository.find([number], in: database)
                    revoked.append(row?.revokedAt != nil)
                }
                return revoked
            }
            #expect(revoked == [true, false, false])
        }
    }

    @Test func trustDocumentsAndSnapshotKeysComeBackInOrder() async throws {
        try await with { pool in
            let documents = (1...3).map { number in
                TrustRow(
                    version: Int64(number),
                    epoch: 1,
                    hash: [UInt8(number)],
                    envelope: [UInt8(number), 0]
                )
            }
            let key = SnapshotKeyRow(
                keyID: "k",
                publicKey: [1],
                sealedKey: [2],
                state: .active,
                notBefore: at,
                notAfter: at + .seconds(1)
            )
            let (chain, keys) = try await pool.transaction { database in
                for row in documents.reversed() {
                    try await TrustRepository.insert(row, guardedBy: rowGuard, in: database)
                }
                try await TrustRepository.insert(key, in: database)
                return (
                    try await TrustRepository.chain(guardedBy: rowGuard, in: database),
                    try await TrustRepository.snapshotKeys(
                        guardedBy: rowGuard,
                        in: database
                    )
                )
            }
            #expect(chain == documents)
            #expect(keys == [key])
        }
    }

    @Test(
        arguments: [
            "expires_at = expires_at + interval '1 day'", "agent = 'a-2'", "redeemed_spki = NULL",
            "revoked_at = NULL", "token_hmac = '\\x09'",
        ] as [SQL]
    )
    func anAlteredJoinTokenIsAbsentAndAlarmed(_ change: SQL) async throws {
        let alarms = Mutex<[RowAlarm]>([])
        let rowGuard = RowGuard(
            keys: [1: SecretBytes(copying: [UInt8](repeating: 9, count: 32))],
            activeVersion: 1
        ) { alarm in alarms.withLock { $0.append(alarm) } }
        try await TestDatabase.withMigrated { database in
            let agent = try AgentName("a-1")
            var row = JoinTokenRow(
                id: id(7),
                tokenHMAC: [1, 2],
                agent: agent,
                createdAt: at,
                expiresAt: at + .seconds(60),
                createdBy: "test"
            )
            row.redeemedSPKI = [3]
            row.redeemedAt = at
            row.revokedAt = at
            let token = row
            let pool = database.pool()
            let found = try await pool.transaction { database in
                for name in [agent, try AgentName("a-2")] {
                    try await AgentRepository.put(
                        Stored(
                            AgentRow(name: name),
                            revision: 1,
                            createdAt: at,
                            updatedAt: at,
                            createdBy: "test"
                        ),
                        guardedBy: rowGuard,
                        in: database
                    )
                }
                try await JoinTokenRepository.put(token, guardedBy: rowGuard, in: database)
                return try await JoinTokenRepository.lock(
                    anyHMAC: [[9], [1, 2]],
                    guardedBy: rowGuard,
                    in: database
                )
            }
            await pool.close()
            #expect(found == token && alarms.withLock(\.isEmpty))
            let connection = try await database.connect()
            try await connection.query("UPDATE turnpike.join_tokens SET \(fragment: change)")
            await connection.close()
            let again = database.pool()
            let absent = try await again.transaction { database in
                try await JoinTokenRepository.find(id(7), guardedBy: rowGuard, in: database)
            }
            await again.close()
            #expect(absent == nil)
            #expect(
                alarms.withLock { $0 }
                    == [RowAlarm(table: "join_tokens", key: id(7).description)]
            )
        }
    }

    @Test func agentsReportWhatTheyEnforce() async throws {
        try await with { pool in
            let agent = try AgentName("a-1")
            let reports = try await pool.transaction { database in
                try await AgentRepository.put(
                    Stored(
                        AgentRow(name: agent),
                        revision: 1,
                        createdAt: at,
                        updatedAt: at,
                        createdBy: "test"
                    ),
                    guardedBy: rowGuard,
                    in: database
                )
                try await AgentStateRepository.connected(
                    agent,
                    to: "one",
                    version: "1.2.3",
                    in: database
                )
                try await AgentStateRepository.acknowledge(
                    [
                        AgentAcknowledgement(
                            agent: agent,
                            epoch: 1,
                            revision: 6,
                            manifestHash: nil,
                            errors: ["no"]
                        )
                    ],
                    in: database
                )
                return try await AgentStateRepository.reports(
                    of: [agent, try AgentName("a-2")],
                    in: database
                )
            }
            let report = try #require(reports.first)
            #expect(reports.count == 1 && report.version == "1.2.3")
            #expect(report.enforcedRevision == 6 && report.errors == ["no"])
            #expect(report.publishedRevision == nil && report.connectedServer == "one")
        }
    }
}

extension PostgresPool {
    /// Runs a body in a transaction; what it throws beside the database's errors comes out too.
    fileprivate func transaction<Value>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let outcome: Result<Value, any Error> = try await withTransaction(
            isolation: .readCommitted
        ) { transaction throws(PostgresError) in
            do {
                return .success(try await body(transaction))
            } catch {
                if let error = error as? PostgresError { throw error }
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
