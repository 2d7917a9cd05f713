import Crypto
import Wire

/// A root, an intermediate and the means to issue leaves, as the mesh has them.
struct MeshPKI {
    static let trustDomain = "mesh.example"
    static let service = "spiffe://mesh.example/ns/web/svc/cart"

    /// A moment in the middle of everything that is issued here.
    let now: Timestamp
    let root: CertificateAuthority
    let intermediate: CertificateAuthority

    init(trustDomain: String = trustDomain, kind: KeyKind = .ecdsaP256) throws {
        now = try Timestamp(rfc3339: "2031-02-03T04:05:06Z")
        root = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: Randomness.bytes(16),
                notBefore: now - .seconds(86_400),
                notAfter: now + .seconds(315_360_000),
                subject: DistinguishedName(commonName: "Mesh Root", organization: trustDomain),
                purpose: .root
            ),
            key: .generate(kind)
        )
        intermediate = try root.intermediate(
            CertificateTemplate(
                serialBytes: Randomness.bytes(16),
                notBefore: now - .seconds(86_400),
                notAfter: now + .seconds(31_536_000),
                subject: DistinguishedName(commonName: "Mesh Issuer", organization: trustDomain),
                purpose: .intermediate(trustDomain: trustDomain)
            ),
            key: .generate(kind)
        )
    }

    func template(
        spiffeID: String = service,
        dnsNames: [String] = ["cart.web.svc.mesh.example"],
        lifetime: Duration = .seconds(3600)
    ) -> CertificateTemplate {
        CertificateTemplate(
            serialBytes: Randomness.bytes(16),
            notBefore: now - .seconds(60),
            notAfter: now + lifetime,
            purpose: .leaf(spiffeID: spiffeID, dnsNames: dnsNames)
        )
    }

    func leaf(spiffeID: String = service, key: SigningKey? = nil) throws -> Certificate {
        let publicKey = try key?.publicKey ?? SigningKey.generate(.ecdsaP256).publicKey
        return try Certificate(
            der: intermediate.issue(template(spiffeID: spiffeID), for: publicKey)
        )
    }

    func question(role: PeerRole = .server, at time: Timestamp? = nil) -> PathValidator.Question {
        var question = PathValidator.Question(role: role, time: time ?? now)
        question.intermediates = [intermediate.certificate]
        return question
    }
}
