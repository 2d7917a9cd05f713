/// A set of keys of which a number must have signed.
///
/// The rule by which trust documents follow each other; generic, so that the conformance suite
/// asks the very function that judges key ids.
package struct KeyQuorum<Key: Hashable & Sendable>: Hashable, Sendable {
    /// The most keys of one quorum.
    package static var keysMax: Int { 64 }

    /// Whose signatures count, each once.
    package let keys: Set<Key>
    /// How many of them are needed.
    package let threshold: Int

    /// Refuses duplicate keys and a threshold that nobody or everybody would meet.
    package init?(keys: [Key], threshold: Int) {
        let distinct = Set(keys)
        guard distinct.count == keys.count, keys.count <= Self.keysMax,
            (1...max(1, keys.count)).contains(threshold), !keys.isEmpty
        else { return nil }
        self.keys = distinct
        self.threshold = threshold
    }

    /// Whether the signers reach the threshold; signatures of other keys count for nothing.
    package func isMet(by signers: Set<Key>) -> Bool {
        keys.intersection(signers).count >= threshold
    }

    /// Whether a document that brings this quorum may follow one of `previous`.
    ///
    /// The old keys let go of their power, and the new ones prove that they exist. The first one
    /// is judged on its own.
    package func admits(signedBy signers: Set<Key>, after previous: KeyQuorum?) -> Bool {
        isMet(by: signers) && previous?.isMet(by: signers) ?? true
    }
}
