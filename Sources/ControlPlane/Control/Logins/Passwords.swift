import Crypto
import Mesh
import Reactor
import Synchronization
import Wire

/// Stretches passwords: on a thread of its own, one after another, so that whoever floods the server with
/// logins holds up other logins by password and nothing else.
final class Passwords: Sendable {
    /// Some five passwords a second for each; each has 32 MiB of memory while it works.
    static let threadCount = 1
    /// Those that wait; further ones are refused, and told to come again.
    static let waitingMax = 8
    private static let label = "password"

    private let surroundings: Surroundings
    private let pool = Mutex<WorkerPool?>(nil)

    init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    /// What a new password is checked with from now on.
    func verifier(
        of password: String,
        _ keyring: Keyring
    ) async throws(ControlError) -> PasswordUser.Verifier {
        let scrypt = Scrypt.standard
        let salt = surroundings.randomBytes(Scrypt.saltByteCount)
        let stretched = try await stretch(password, scrypt, salt)
        guard let digest = keyring.hmacs(of: stretched, label: Self.label).first else {
            throw Self.failed
        }
        return PasswordUser.Verifier(
            cost: Int64(scrypt.cost),
            blockSize: Int64(scrypt.blockSize),
            parallelism: Int64(scrypt.parallelism),
            salt: salt,
            digest: digest
        )
    }

    /// Whether a password is that of a verifier; without one the answer is no, at the same cost.
    func isValid(
        _ password: String,
        _ verifier: PasswordUser.Verifier?,
        _ keyring: Keyring
    ) async throws(ControlError) -> Bool {
        let own = verifier.flatMap { verifier in
            Scrypt(
                cost: Int(clamping: verifier.cost),
                blockSize: Int(clamping: verifier.blockSize),
                parallelism: Int(clamping: verifier.parallelism)
            )
        }
        let salt = verifier?.salt ?? [UInt8](repeating: 0, count: Scrypt.saltByteCount)
        let stretched = try await stretch(password, own ?? .standard, salt)
        let wanted = own == nil ? [] : verifier?.digest ?? []
        var isValid = false
        for digest in keyring.hmacs(of: stretched, label: Self.label)
        where constantTimeEquals(digest, wanted) { isValid = true }
        return isValid
    }

    private func stretch(
        _ password: String,
        _ scrypt: Scrypt,
        _ salt: [UInt8]
    ) async throws(ControlError) -> [UInt8] {
        let bytes = SecretBytes(copying: Array(password.utf8))
        let outcome: SecretBytes?
        do throws(WorkerPool.Refusal) {
            outcome = try await threads().run { try? scrypt.digest(of: bytes, salt: salt) }
        } catch {
            throw .tooMany(
                Complaint("login.too_many", "too many logins by password at once"),
                retryAfter: .seconds(1)
            )
        }
        guard let outcome else { throw Self.failed }
        return outcome.withBytes { bytes in (0..<bytes.count).map { bytes[$0] } }
    }

    private func threads() throws(WorkerPool.Refusal) -> WorkerPool {
        let pool = pool.withLock { pool in
            if pool == nil {
                pool = try? WorkerPool(
                    name: "passwords",
                    threadCount: Self.threadCount,
                    queuedMax: Self.waitingMax
                )
            }
            return pool
        }
        guard let pool else { throw .stopped }
        return pool
    }

    private static let failed = ControlError.faulted(
        Complaint("login.password", "the password could not be checked")
    )
}
