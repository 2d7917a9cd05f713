package import Wire

/// Remembers peers whose certificates were verified, so that a reconnect costs no signature.
///
/// Keyed by the leaf's fingerprint and role; an entry ends with the first certificate of its path. The
/// owner flushes it whenever roots, CRLs or revocations change. Not shared between threads.
package struct VerifiedLeafCache: Sendable {
    private struct Key: Hashable {
        let fingerprint: SHA256Digest
        let role: PeerRole
    }

    /// The most entries that are kept.
    package let capacity: Int

    // Two generations: when the young one is full it becomes the old one, so that the capacity holds
    // without a list in order of use, and what is in use moves on.
    private var young: [Key: SVIDValidator.Identity] = [:]
    private var old: [Key: SVIDValidator.Identity] = [:]

    /// An empty cache for at least two entries.
    package init(capacity: Int) {
        precondition(capacity >= 2)
        self.capacity = capacity
    }

    /// How many entries there are, expired ones included.
    package var count: Int { young.count + old.count }

    /// The identity of a leaf that was verified before, if its whole path is still valid at `time`.
    package mutating func identity(
        of fingerprint: SHA256Digest,
        role: PeerRole,
        at time: Timestamp
    ) -> SVIDValidator.Identity? {
        let key = Key(fingerprint: fingerprint, role: role)
        guard let found = young[key] ?? old[key] else { return nil }
        let second = time.secondsSinceEpoch
        guard found.notBefore.secondsSinceEpoch <= second,
            second <= found.notAfter.secondsSinceEpoch
        else {
            young[key] = nil
            old[key] = nil
            return nil
        }
        if old.removeValue(forKey: key) != nil { insert(found, key) }
        return found
    }

    /// Remembers what `SVIDValidator` gave for this leaf.
    package mutating func insert(
        _ identity: SVIDValidator.Identity,
        for fingerprint: SHA256Digest,
        role: PeerRole
    ) {
        let key = Key(fingerprint: fingerprint, role: role)
        old[key] = nil
        insert(identity, key)
    }

    /// Forgets everything.
    package mutating func flush() {
        young = [:]
        old = [:]
    }

    private mutating func insert(_ identity: SVIDValidator.Identity, _ key: Key) {
        if young[key] == nil, young.count >= capacity / 2 {
            old = young
            young = [:]
        }
        young[key] = identity
    }
}
