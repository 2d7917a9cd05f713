/// Looks up the certificates of a path in CRLs (RFC 5280 §6.3).
struct Revocation {
    private let question: PathValidator.Question

    init(question: PathValidator.Question) {
        self.question = question
    }

    /// The leaf's status must be found; a CA's too where a CRL of its issuer was given.
    func check(_ path: [Certificate]) throws(PathError) {
        for (certificate, issuer) in zip(path, path.dropFirst()) {
            let lists = question.revocationLists.filter { $0.issuer == certificate.issuer }
            if lists.isEmpty, certificate != path.first { continue }
            guard issuer.keyUsage?.contains(.crlSign) ?? true, let key = try? issuer.publicKey()
            else { throw .revocationUnknown }
            let usable = lists.filter {
                $0.covers(certificate, at: question.time) && $0.isSigned(by: key)
            }
            if usable.contains(where: { $0.revokes(certificate) }) { throw .revoked }
            if usable.isEmpty { throw .revocationUnknown }
        }
    }
}
