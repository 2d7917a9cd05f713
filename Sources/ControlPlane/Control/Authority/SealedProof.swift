import Crypto
import Mesh
import Snapshot
import Store
import Wire

/// What makes a row of the authority believed that carries no MAC: the key that is sealed beside it.
///
/// Only a server of this cluster seals, and a seal opens at the row that it was made for alone. So a
/// certificate, a public key or a request is ours if it is of that key; a row of which this is not
/// so counts as absent, with the alarm.
struct SealedProof {
    let control: ControlPlane

    /// The CAs but for the prepared ones that nobody here made or took in.
    ///
    /// The key of an outside root is not here: an intermediate whose key is, and which it signed,
    /// stands for it. That says that the two belong together, not whose the root is; so it is
    /// announced only to who brings its certificate, and activated only when the trust keys named it.
    func believed(_ rows: [AuthorityRow]) -> [AuthorityRow] {
        let prepared = rows.filter { $0.state == .prepared }
        let roots = prepared.filter { $0.kind == .root && ($0.sealedKey.isEmpty || isProven($0)) }
        let issuers = prepared.filter { row in
            row.kind == .intermediate && isProven(row)
                && roots.contains { Self.leads(row, to: $0) }
        }
        let proven = Set(
            issuers.map(\.id)
                + roots.filter { root in
                    !root.sealedKey.isEmpty || issuers.contains { $0.issuer == root.id }
                }.map(\.id)
        )
        return rows.filter { row in
            if row.state != .prepared || proven.contains(row.id) { return true }
            alarm("authorities", row.id.description)
            return false
        }
    }

    /// The snapshot keys that are in use or waiting to be, but for those that nobody here made, or
    /// that the trust keys took out before; and those that are history.
    func believed(_ rows: [SnapshotKeyRow], after chain: [TrustAnchor]) -> [SnapshotKeyRow] {
        let named = chain.map { Set($0.document.snapshotKeys.map(\.key.keyID.hex)) }
        return rows.filter { row in
            if row.state == .retired { return true }
            guard key(of: row) != nil else { return false }
            // A prepared key that was taken out is retired with it: this one was put back.
            let wasTakenOut =
                row.state == .prepared && !(named.last?.contains(row.keyID) ?? false)
                && named.contains { $0.contains(row.keyID) }
            guard wasTakenOut else { return true }
            alarm("snapshot_keys", row.keyID)
            return false
        }
    }

    /// The private half of a snapshot key; nil, with the alarm, for a row that nobody here made.
    func key(of row: SnapshotKeyRow) -> SigningKey? {
        let life = row.notAfter.duration(since: row.notBefore)
        if let key = try? AuthoritySealing.open(
            row.sealedKey,
            for: .snapshot,
            at: AuthoritySealing.snapshotPlace(row.keyID),
            control
        ), key.publicKey.spki == row.publicKey, key.publicKey.keyID.hex == row.keyID,
            life <= AuthorityLifetimes.backdating + AuthorityLifetimes.snapshotKey
        {
            return key
        }
        alarm("snapshot_keys", row.keyID)
        return nil
    }

    /// The private half of a request; nil, with the alarm, for one that nobody here made.
    func key(of row: AuthorityRequestRow) -> SigningKey? {
        if let key = try? AuthoritySealing.open(
            row.sealedKey,
            for: .ca,
            at: AuthorityImport.place(row.id),
            control
        ), let request = try? CertificateSigningRequest(verifying: row.request),
            request.publicKey == key.publicKey
        {
            return key
        }
        alarm("authority_requests", row.id.description)
        return nil
    }

    private func isProven(_ row: AuthorityRow) -> Bool {
        guard let certificate = try? Certificate(der: row.certificate),
            let key = try? AuthoritySealing.open(
                row.sealedKey,
                for: AuthoritySealing.purpose(row.kind),
                at: AuthoritySealing.place(row.id),
                control
            ),
            key.publicKey.spki == certificate.spki
        else { return false }
        return row.kind == .intermediate || SigningChain.isSignedByItself(certificate)
    }

    private static func leads(_ issuer: AuthorityRow, to root: AuthorityRow) -> Bool {
        let path = ([issuer.certificate] + issuer.chain + [root.certificate]).map { der in
            try? Certificate(der: der)
        }
        let certificates = path.compactMap(\.self)
        return issuer.issuer == root.id && certificates.count == path.count
            && SigningChain.isUnbroken(certificates)
    }

    private func alarm(_ table: String, _ key: String) {
        control.alarms.raise(RowAlarm(table: table, key: key))
    }
}
