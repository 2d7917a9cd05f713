import Crypto
import Foundation
import Mesh
import Wire

extension Suite {
    /// Validates one certificate path.
    static let x509 = Suite(name: "x509", refusal: "reject") { reader in
        let path = try CertificateCase(&reader)
        var question = path.question
        if let depth = try reader.optionalInt("max_depth", in: 0...Int(Int32.max)) {
            question.intermediatesMax = min(depth, CertificateCase.depthMax)
        }
        question.name = try reader.optionalMap("peer_name") { name throws(FieldError) in
            try peerName(&name)
        }
        if try reader.optionalBool("require_spiffe") ?? true {
            let names = path.leaf.uriNames
            guard names.count == 1, let name = names.first else {
                return .result("reject", reason: "the certificate needs exactly one URI name")
            }
            _ = try SVIDValidator(trustDomain: SPIFFEID(name).trustDomain.text, roots: path.roots)
                .validate(path.leaf, question)
        }
        _ = try PathValidator(roots: path.roots).validate(path.leaf, question)
        return .result("accept")
    }

    /// Validates one X509-SVID as the agent does in a handshake.
    static let spiffe = Suite(name: "spiffe", refusal: "reject") { reader in
        let path = try CertificateCase(&reader)
        let trustDomain = try TrustDomain(reader.string("trust_domain"))
        let identity = try SVIDValidator(trustDomain: trustDomain.text, roots: path.roots)
            .validate(path.leaf, path.question)
        let spiffeID = try SPIFFEID(identity.spiffeID)
        guard spiffeID.trustDomain == trustDomain else {
            return .result("reject", reason: "the identity is of another trust domain")
        }
        return Answer(["result": "accept", "spiffe_id": .string(spiffeID.description)])
    }

    private static func peerName(
        _ reader: inout FieldReader
    ) throws(FieldError) -> ReferenceName {
        let kind = try reader.required("kind").choice(of: ["DNS", "IP", "RFC822"])
        let value = try reader.required("value")
        let text = try value.string()
        switch kind {
        case "DNS": return ReferenceName(host: text)
        case "RFC822": return .email(text)
        default:
            guard let name = ReferenceName(ip: text) else {
                throw value.error("this is no IP address", hint: "write 192.0.2.1 or 2001:db8::1")
            }
            return name
        }
    }
}

/// The part that the two suites about certificates share.
private struct CertificateCase {
    /// Longer paths than this are refused whatever the case asks for.
    static let depthMax = 100
    private static let pemBytes = 1...(1 << 20)

    let roots: [Certificate]
    let leaf: Certificate
    let question: PathValidator.Question

    init(_ reader: inout FieldReader) throws {
        leaf = try Certificate(pem: reader.string("leaf", bytes: Self.pemBytes))
        roots = try Self.certificates(reader.required("roots"))
        let role = try reader.required("role").choice(of: ["server", "client"])
        let time = try reader.optionalTimestamp("time") ?? Self.now
        var question = PathValidator.Question(
            role: role == "server" ? .server : .client,
            time: time
        )
        question.intermediates = try Self.certificates(reader.required("chain"))
        for element in try reader.optional("crls")?.list() ?? [] {
            let text = try element.string(bytes: Self.pemBytes)
            question.revocationLists.append(try CertificateRevocationList(pem: text))
        }
        self.question = question
    }

    /// What cannot be read can be part of no path, and must not hide what can.
    private static func certificates(_ value: FieldValue) throws -> [Certificate] {
        var certificates: [Certificate] = []
        for element in try value.list() {
            let text = try element.string(bytes: pemBytes)
            if let certificate = try? Certificate(pem: text) { certificates.append(certificate) }
        }
        return certificates
    }

    private static var now: Timestamp {
        Timestamp(secondsSinceEpoch: Int64(Date().timeIntervalSince1970))
    }
}
