package import Crypto
package import Wire

/// How long what the authority makes lives.
package enum AuthorityLifetimes {
    /// A root of the mesh, and the root of the API's certificates: ten years.
    package static let root: Duration = .seconds(3650 * 86_400)
    /// An intermediate: one year.
    package static let intermediate: Duration = .seconds(365 * 86_400)
    /// How long what an operator's CA signed must last at least when it is imported.
    package static let importedMin: Duration = .seconds(7 * 86_400)
    /// A key that signs snapshots; its successor is announced in the trust document.
    package static let snapshotKey: Duration = .seconds(3650 * 86_400)
    /// What a service's certificate may live.
    package static let leaf: ClosedRange<Duration> = .seconds(300)...(.seconds(86_400))
    /// An agent's own certificate.
    package static let agent: Duration = .seconds(86_400)
    /// A server's certificates; made anew at every start and at half of their life.
    package static let server: Duration = .seconds(86_400)
    /// How far certificates reach back, for clocks that go slow.
    package static let backdating: Duration = .seconds(60)
    /// The longest life of a join token.
    package static let joinTokenMax: Duration = .seconds(3600)

    /// How much of a certificate's life is over, from 0 to 1 and beyond.
    package static func share(of certificate: Certificate, at now: Timestamp) -> Double {
        let life = certificate.notAfter.duration(since: certificate.notBefore)
        let used = now.duration(since: certificate.notBefore)
        return Double(used.nanosecondsClamped) / Double(max(life.nanosecondsClamped, 1))
    }

    /// The life of a leaf: what is asked for, cut at the issuer's end.
    ///
    /// Nil where the issuer's own end leaves less than the shortest leaf.
    package static func leafEnd(
        now: Timestamp,
        lifetime: Duration,
        issuerEnd: Timestamp
    ) -> Timestamp? {
        let end = min(now + lifetime, issuerEnd)
        return end.duration(since: now) >= leaf.lowerBound ? end : nil
    }
}
