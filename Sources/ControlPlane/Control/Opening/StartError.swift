package import Mesh

/// Why a replica does not start; each says what would be right.
package enum StartError: Error, Equatable, Sendable {
    /// The database belongs to another trust domain, which never changes.
    case otherTrustDomain(database: TrustDomain, configured: TrustDomain)
    case invalidTrustDomain(NameError)
    case keys(KeyError)
    /// The first token could not be written where its reader expects it.
    case bootstrapFile(String)
    /// Storage, or a step of the first start.
    case refused(ControlError)
    /// Other replicas have been starting for too long.
    case locked
}

extension StartError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherTrustDomain(let database, let configured):
            "the database belongs to the trust domain \(database), but the configuration says"
                + " \(configured): correct trust_domain, or give an empty database"
        case .invalidTrustDomain(let error): "trust_domain: \(error)"
        case .keys(let error): error.description
        case .bootstrapFile(let text): "the bootstrap token could not be written: \(text)"
        case .refused(let error): error.description
        case .locked: "other replicas have held the start lock for too long; try again"
        }
    }
}
