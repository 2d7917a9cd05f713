import Crypto
import Mesh
import Observability
import Snapshot
import Wire

extension Subscription {
    /// The time over which agents replace certificates whose root signs no more.
    private static let replacementWindow = Duration.seconds(60)

    /// Asks early for what would soon be believed no longer: certificates under a root that is
    /// retiring, spread over a minute, and at once those whose root is gone.
    func renewWhatIsLeaving() {
        let now = settings.now()
        for subject in renewals.subjects {
            guard let chain = heldChain(of: subject), let first = chain.first,
                let leaf = try? Certificate(der: first)
            else { continue }
            var question = PathValidator.Question(
                role: .server,
                time: min(max(now, leaf.notBefore), leaf.notAfter)
            )
            question.intermediates = chain.dropFirst().compactMap { try? Certificate(der: $0) }
            let found = try? roots.validator.validate(leaf, question)
            if let found, !trustedRoots.isLeaving(found.root) { continue }
            let share = found == nil ? 0 : min(max(settings.jitter(), 0), 1)
            let pause = Self.replacementWindow.nanosecondsClamped
            renewals.hasten(subject, to: now + .nanoseconds(Int64(Double(pause) * share)))
        }
        requestDueCertificates()
    }

    /// Asks at once for certificates that were revoked: whoever is allowed again gets another.
    func replaceRevoked() {
        guard let revocations = snapshot?.revocations, !revocations.isEmpty else { return }
        for (service, identity) in identities where revocations.contains(identity.serialNumber) {
            logger.error("a certificate was revoked", ["service": .describing(service)])
            renewals.hasten(.service(service), to: settings.now())
        }
    }

    private func heldChain(of subject: CertificateSubject) -> [[UInt8]]? {
        switch subject {
        case .agent: try? AgentIdentity(in: folder).chain
        case .service(let service): try? leaves.read(service)?.chain
        }
    }
}
