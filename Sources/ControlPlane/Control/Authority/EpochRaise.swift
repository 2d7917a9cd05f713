package import Crypto
import Mesh
package import Snapshot
import Store
import Wire

/// Leaves a line of revisions behind: what agents enforce of it, however new, counts no more.
///
/// After a restore the database is behind what agents enforce, and they refuse what is older. The
/// next trust document raises the epoch, signed by the trust keys that they know.
package struct EpochRaise: Sendable {
    private let control: ControlPlane
    private let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

    /// The document after `held`, unsigned.
    ///
    /// Version and epoch are taken from the clock where that is higher: a second restore of the
    /// same backup must be above the first, of which the backup knows nothing, and so must be the
    /// documents that were lost.
    static func next(after held: TrustDocument, now: Timestamp) -> TrustDocument {
        let seconds = UInt64(clamping: now.secondsSinceEpoch)
        var next = held
        next.version = max(held.version + 1, seconds)
        next.epoch = max(held.epoch + 1, seconds)
        next.issued = now
        return next
    }

    /// Signs and stores the next document; the keys are used and forgotten.
    @discardableResult
    package func perform(
        signedBy keys: [SigningKey],
        reason: String
    ) async throws(ControlError) -> TrustDocument {
        await authority.refresh(control)
        guard let held = authority.trust else {
            throw .faulted(Complaint("trust.missing", "there is no trust document"))
        }
        let next = Self.next(after: held.document, now: control.now())
        let anchor = try Self.sign(next, after: held, by: keys)
        try await control.change(
            control.server,
            action: "trust.raise_epoch",
            resource: "trust"
        ) { change in
            try await TrustRepository.insert(
                TrustRow(
                    version: Int64(clamping: next.version),
                    epoch: Int64(clamping: next.epoch),
                    hash: anchor.hash.bytes,
                    envelope: anchor.envelope.encoded
                ),
                guardedBy: control.rowGuard,
                in: change.database
            )
            change.record(.trust, key: "\(next.version)", .create)
            change.describe(
                .fields([
                    "epoch": .number(Int(clamping: next.epoch)), "reason": .string(reason),
                ])
            )
        }
        await authority.refresh(control)
        return next
    }

    private static func sign(
        _ next: TrustDocument,
        after held: TrustAnchor,
        by keys: [SigningKey]
    ) throws(ControlError) -> TrustAnchor {
        let wanted = held.document.trustKeys.map(\.keyID.hex).joined(separator: ", ")
        do {
            return try held.succeeded(by: next.signed(by: keys))
        } catch {
            throw .invalid(
                "trust.signatures",
                field: "",
                "\(held.document.threshold) of the trust keys \(wanted) must sign the raise of the"
                    + " epoch, but those given are"
                    + " \(keys.map(\.publicKey.keyID.hex).joined(separator: ", "))"
            )
        }
    }
}
