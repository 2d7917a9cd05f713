import Wire

/// The rules that one certificate must keep on its own (RFC 5280 §4), apart from its place in a path.
///
/// Each function gives the first rule that is broken, in words, or nil.
enum CertificateRules {
    /// For every certificate of a path.
    static func problem(of certificate: Certificate, at time: Timestamp) -> String? {
        let extensions = certificate.extensions
        if let flaw = extensions.flaw { return flaw }
        if certificate.issuer.isEmpty { return "its issuer has no name" }
        guard let key = certificate.subjectPublicKey else { return "its key is of a refused kind" }
        if case .rsa(let bits) = key.kind, bits % 8 != 0 {
            return "its RSA modulus has no whole number of bytes"
        }
        if extensions.authorityKeyIdentifier?.isCritical == true {
            return "its authority key identifier is marked critical"
        }
        if extensions.subjectKeyIdentifier?.isCritical == true {
            return "its subject key identifier is marked critical"
        }
        if extensions.requiresExplicitPolicy {
            return "it asks for certificate policies, which are not processed here"
        }
        if certificate.isCA != (extensions.keyUsage?.contains(.keyCertSign) ?? certificate.isCA) {
            return "its basic constraints and its key usage disagree about being a CA"
        }
        if let names = extensions.subjectAlternativeNames, names.isEmpty {
            return "its subject alternative name is empty"
        }
        return validityProblem(of: certificate, at: time)
    }

    /// For the certificate that the peer presents as its own.
    static func problem(
        ofLeaf certificate: Certificate,
        role: PeerRole,
        isNamed: Bool,
        at time: Timestamp
    ) -> String? {
        if let problem = problem(of: certificate, at: time) { return problem }
        if let problem = signatureProblem(of: certificate) { return problem }
        let extensions = certificate.extensions
        if certificate.isCA { return "a CA presents itself as a peer" }
        if let usage = extensions.keyUsage {
            if usage.contains(.crlSign) { return "its key usage is that of a CA" }
            let handshake: KeyUsage = [.digitalSignature, .keyEncipherment, .keyAgreement]
            if usage.isDisjoint(with: handshake) {
                return "its key must not be used in a handshake"
            }
        }
        if extensions.nameConstraints != nil { return "only a CA may have name constraints" }
        if certificate.isMeant(for: role) == false {
            return "its extended key usage does not allow the role of a \(role.rawValue)"
        }
        if certificate.subject.isEmpty {
            guard extensions.subjectAlternativeNames != nil,
                extensions.isSubjectAlternativeNameCritical
            else { return "it has no subject, and no critical alternative name instead" }
        } else if isNamed, extensions.isSubjectAlternativeNameCritical {
            // The profile of public TLS forbids it; SVIDs may carry a subject beside their id.
            return "its alternative name is marked critical beside a subject"
        }
        return nil
    }

    /// For a CA in the middle of a path.
    static func problem(
        ofIntermediate certificate: Certificate,
        role: PeerRole,
        at time: Timestamp
    ) -> String? {
        problem(of: certificate, at: time) ?? signatureProblem(of: certificate)
            ?? issuingProblem(of: certificate, role: role)
    }

    /// For a root, whose own signature proves nothing and is not looked at.
    static func problem(
        ofAnchor certificate: Certificate,
        role: PeerRole,
        at time: Timestamp
    ) -> String? {
        if let problem = problem(of: certificate, at: time) { return problem }
        if let problem = issuingProblem(of: certificate, role: role) { return problem }
        guard certificate.isSelfIssued,
            let authority = certificate.extensions.authorityKeyIdentifier
        else { return nil }
        if authority.namesCertificate || authority.keyIdentifier == nil
            || authority.keyIdentifier != certificate.subjectKeyIdentifier
        {
            return "a root's authority key identifier must be its own key identifier alone"
        }
        return nil
    }

    private static func issuingProblem(of certificate: Certificate, role: PeerRole) -> String? {
        let extensions = certificate.extensions
        if certificate.subject.isEmpty { return "a CA has no name" }
        guard let constraints = extensions.basicConstraints, constraints.isCA else {
            return "an issuer is not a CA"
        }
        if !constraints.isCritical { return "a CA's basic constraints are not marked critical" }
        if extensions.subjectKeyIdentifier == nil { return "a CA has no subject key identifier" }
        if let usages = extensions.extendedKeyUsages,
            !usages.contains(role.extendedKeyUsage),
            !usages.contains(ObjectIdentifier.anyExtendedKeyUsage)
        {
            return "a CA's extended key usage does not allow the role of a \(role.rawValue)"
        }
        return nil
    }

    /// What an issuer must have got right, which a root, being its own, is not asked about: some of
    /// the web's roots have the serial number zero.
    private static func signatureProblem(of certificate: Certificate) -> String? {
        if certificate.serialNumber == [0] { return "its serial number is zero" }
        if certificate.signatureScheme == nil { return "its signature algorithm is refused" }
        if certificate.authorityKeyIdentifier == nil { return "it has no authority key identifier" }
        return nil
    }

    private static func validityProblem(of certificate: Certificate, at time: Timestamp) -> String?
    {
        if certificate.notAfter < certificate.notBefore {
            return "its validity ends before it begins"
        }
        if certificate.isValid(at: time) { return nil }
        return time < certificate.notBefore ? "it is not valid yet" : "it has expired"
    }
}
