import Control
import Crypto
import Mesh
import Wire

/// Gives the key that proves backups, for whoever holds a key-encryption key of the cluster.
struct BackupProof {
    let configuration: ServerConfiguration

    init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    /// Refuses the backup of another trust domain, and one that the key at hand does not open.
    func key(of header: BackupHeader) throws(StartFailure) -> SecretBytes {
        let key = try demandKey(of: header)
        guard let clusterID = try? UUIDv7(parsing: header.clusterID),
            let trustDomain = try? TrustDomain(header.trustDomain)
        else { throw .work("the backup names no cluster") }
        do throws(KeyError) {
            return try BackupKey.open(
                of: clusterID,
                trustDomain,
                roots: header.rootKeys,
                under: key
            )
        } catch {
            throw .work("the backup's proof of origin: \(error)")
        }
    }

    /// The key-encryption key at hand, if it is one that the backup names.
    @discardableResult
    func demandKey(of header: BackupHeader) throws(StartFailure) -> KeyEncryptionKey {
        guard header.trustDomain == configuration.trustDomain.text else {
            throw .usage(
                "the backup is of the trust domain \(header.trustDomain), not"
                    + " \(configuration.trustDomain): set trust_domain"
            )
        }
        let key = try SecretFiles(configuration: configuration).keyEncryptionKey(mayCreate: false)
        guard header.keyIDs.contains("\(key.provider):\(key.id)") else {
            throw .work(
                "\(configuration.kekFile) does not open this backup: it was sealed with"
                    + " \(header.keyIDs.joined(separator: " or "))"
            )
        }
        return key
    }
}

extension BackupFile.Proof {
    /// A line for people.
    var description: String {
        switch self {
        case .proved: "origin          proved: this cluster made it, and nobody changed it"
        case .unchecked:
            "origin          not looked at: give --config to prove it with keys.kek_file"
        case .none: "origin          nothing proves it: made before backups proved their origin"
        }
    }
}
