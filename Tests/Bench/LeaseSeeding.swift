import Control
import Crypto
import Foundation
import Mesh
import Observability
import Postgres
import Reactor
import Store
import Wire

/// Leases as a server commits them, without anybody going to a target.
struct LeaseSeeding {
    private static let batch = 2_000

    /// Where the embedded cluster has its socket and its password.
    let databaseDirectory: String
    let keyFile: String
    let trustDomain: String

    /// Puts down `count` leases of a profile that are about to be made; whoever asked makes of them
    /// what is to be measured.
    func perform(_ profile: String, count: Int) async throws -> String {
        let thread = try ReactorThread(name: "seed")
        let pool = PostgresPool(
            PostgresSettings(
                url: DatabaseURL(
                    socketDirectory: databaseDirectory + "/cluster/socket",
                    user: "postgres",
                    password: try text(databaseDirectory + "/postgres.password"),
                    database: "turnpike"
                )
            ),
            on: thread.reactor
        ) { Double.random(in: 0..<1) }
        let start = ContinuousClock.now
        do {
            let control = try await open(pool)
            try await put(count, of: try ProfileName(profile), into: control)
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
        thread.stop()
        return #"{"leases":\#(count),"seconds":\#((ContinuousClock.now - start) / .seconds(1))}"#
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    private func open(_ pool: PostgresPool) async throws -> ControlPlane {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: keyFile)))
        guard let key = KeyEncryptionKey(SecretBytes(copying: bytes)) else {
            throw BenchError("\(keyFile) holds no key")
        }
        return try await ControlPlane.open(
            ControlSettings(
                trustDomain: try TrustDomain(trustDomain),
                serverName: try Mesh.ServerName("seed"),
                version: "bench"
            ),
            pool: pool,
            key: key,
            surroundings: Surroundings(
                now: { Cost.now },
                instant: { ContinuousClock.now },
                randomBytes: Randomness.bytes
            ),
            firstStart: FirstStart { _ in throw BenchError("there is no cluster yet") }
        )
    }

    private func put(_ count: Int, of name: ProfileName, into control: ControlPlane) async throws {
        let found = try await control.read { database in
            try await ProfileRepository.find(name, guardedBy: control.rowGuard, in: database)
        }
        guard let profile = found?.profile else { throw BenchError("there is no profile \(name)") }
        var left = count
        while left > 0 {
            let now = Cost.now
            let number = min(left, Self.batch)
            try await control.write { database in
                for _ in 0..<number {
                    let lease = LeaseRow(
                        id: control.makeID(),
                        plan: profile,
                        principal: "bench",
                        token: nil,
                        sourceAddress: "127.0.0.1",
                        idempotencyKey: nil,
                        createdAt: now,
                        createBefore: now + .seconds(86_400),
                        expiresAt: now + .seconds(86_400),
                        maxExpiresAt: now + .seconds(86_400)
                    )
                    try await LeaseRepository.insert(
                        lease,
                        guardedBy: control.rowGuard,
                        in: database
                    )
                }
            }
            left -= number
        }
    }
}
