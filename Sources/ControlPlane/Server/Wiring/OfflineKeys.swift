import Control
import Crypto
import Mesh
import Reactor
import Snapshot
import Wire

/// The keys of a mesh without a control plane: in a directory, or nowhere.
struct OfflineKeys {
    /// Nil to forget the keys with the process.
    private let path: String?

    private static let rootName = "root"
    private static let intermediateName = "intermediate"
    private static let snapshotName = "snapshot"
    private static let trustName = "trust"
    /// What is said of keys that do not belong together.
    static let unfit = "the keys and \(SnapshotFiles.trustName) are not of one mesh"

    private static var names: [String] {
        [rootName, intermediateName].flatMap { ["\($0).pem", "\($0).key"] }
            + ["\(snapshotName).key", "\(trustName).key", SnapshotFiles.trustName]
    }

    init(_ path: String?) {
        self.path = path
    }

    /// The authority that the directory holds, or a new one.
    ///
    /// A directory that holds only some of the keys is refused: new ones beside old ones would
    /// make a mesh that trusts nobody.
    func authority(
        of trustDomain: TrustDomain,
        root: String?,
        now: Timestamp
    ) throws(OfflineProblems) -> FoundedAuthority {
        let roots = try root.map { file throws(OfflineProblems) in try Self.certificates(file) }
        guard let path else { return try found(trustDomain, roots ?? [], now) }
        var missing: [String] = []
        do throws(FileError) {
            try FileSystem.makeDirectory(path)
            try FileSystem.demandPrivate(path)
            for name in Self.names where try FileSystem.status("\(path)/\(name)") == nil {
                missing.append(name)
            }
        } catch {
            throw OfflineProblems(["\(error)"])
        }
        if missing.count == Self.names.count {
            let made = try found(trustDomain, roots ?? [], now)
            try write(made, to: path)
            return made
        }
        guard missing.isEmpty else {
            throw OfflineProblems([
                "\(path): \(missing.joined(separator: ", ")) missing; bring back what is lost, or"
                    + " name an empty directory"
            ])
        }
        let held = try read(path, trustDomain)
        let trusted = held.trust.document.authorities.map(\.certificate)
        guard (roots ?? []).allSatisfy(trusted.contains) else {
            throw OfflineProblems([
                "\(path): these keys were made without the root of \(root ?? ""); name an empty"
                    + " directory"
            ])
        }
        return held
    }

    private func found(
        _ trustDomain: TrustDomain,
        _ roots: [[UInt8]],
        _ now: Timestamp
    ) throws(OfflineProblems) -> FoundedAuthority {
        do {
            return try FoundedAuthority.found(
                trustDomain,
                now: now,
                otherRoots: roots,
                randomBytes: Randomness.bytes
            )
        } catch {
            throw OfflineProblems(["the keys cannot be made: \(error)"])
        }
    }

    private func write(_ made: FoundedAuthority, to path: String) throws(OfflineProblems) {
        func put(_ name: String, _ text: String) throws {
            try FileSystem.create("\(path)/\(name)", with: Array(text.utf8))
        }
        do {
            for (name, issuer) in [
                (Self.rootName, made.root), (Self.intermediateName, made.intermediate),
            ] {
                try put("\(name).pem", issuer.authority.certificate.pem)
                try put("\(name).key", issuer.key.pem())
            }
            try put("\(Self.snapshotName).key", made.snapshotKey.pem())
            try put("\(Self.trustName).key", made.trustKey.pem())
            try FileSystem.create(
                "\(path)/\(SnapshotFiles.trustName)",
                with: made.trust.envelope.encoded
            )
        } catch {
            throw OfflineProblems(["\(error)"])
        }
    }

    private func read(
        _ path: String,
        _ trustDomain: TrustDomain
    ) throws(OfflineProblems) -> FoundedAuthority {
        func issuer(_ name: String) throws -> FoundedAuthority.Issuer {
            let key = try Self.key("\(path)/\(name).key")
            let chain = try Self.certificates("\(path)/\(name).pem")
            let certificate = try Certificate(der: chain.first ?? [])
            return FoundedAuthority.Issuer(
                authority: try CertificateAuthority(certificate: certificate, key: key),
                key: key
            )
        }
        do {
            let file = "\(path)/\(SnapshotFiles.trustName)"
            let bytes = try FileSystem.read(file, byteCountMax: Envelope.encodedMaxBytes)
            let trust = try TrustAnchor.first(
                try Envelope(encoded: bytes),
                trustDomain: trustDomain,
                pinnedHash: nil
            )
            let snapshotKey = try Self.key("\(path)/\(Self.snapshotName).key")
            let root = try issuer(Self.rootName)
            guard trust.document.snapshotKeys.contains(where: { $0.key == snapshotKey.publicKey }),
                trust.document.authorities.contains(where: {
                    $0.certificate == root.authority.certificate.encoded
                })
            else {
                throw OfflineProblems([
                    "the keys and \(SnapshotFiles.trustName) are not of one mesh"
                ])
            }
            return FoundedAuthority(
                root: root,
                intermediate: try issuer(Self.intermediateName),
                snapshotKey: snapshotKey,
                trustKey: try Self.key("\(path)/\(Self.trustName).key"),
                trust: trust
            )
        } catch TrustRefusal.foreignTrustDomain {
            throw OfflineProblems([
                "\(path): the keys are of another trust domain than \(trustDomain);"
                    + " --trust-domain names theirs"
            ])
        } catch let error as OfflineProblems {
            throw OfflineProblems(error.lines.map { "\(path): \($0)" })
        } catch {
            throw OfflineProblems(["\(path): \(error)"])
        }
    }

    /// The certificates of a PEM file, DER; throws if there is none.
    static func certificates(_ path: String) throws(OfflineProblems) -> [[UInt8]] {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileSystem.read(path, byteCountMax: PEM.textBytesMax, followsLinks: true)
        } catch {
            throw OfflineProblems(["\(error)"])
        }
        guard let text = Text.decode(bytes), let blocks = try? PEM.decode(text) else {
            throw OfflineProblems(["\(path): this is no PEM text"])
        }
        let chain = blocks.filter { $0.label == Certificate.pemLabel }.map(\.bytes)
        guard !chain.isEmpty else { throw OfflineProblems(["\(path): holds no certificate"]) }
        return chain
    }

    /// The private key of a PEM file that nobody else may read.
    static func key(_ path: String) throws(OfflineProblems) -> SigningKey {
        do {
            var bytes = try FileSystem.readSecret(path, byteCountMax: PEM.textBytesMax)
            defer { SecretBytes.wipe(&bytes) }
            guard let text = Text.decode(bytes) else {
                throw OfflineProblems(["\(path): this is no PEM text"])
            }
            return try SigningKey(pem: text)
        } catch let error as OfflineProblems {
            throw error
        } catch let error as FileError {
            throw OfflineProblems(["\(error)"])
        } catch {
            throw OfflineProblems(["\(path): \(error)"])
        }
    }
}
