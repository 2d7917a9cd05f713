package import Crypto
package import Mesh
package import Wire

/// Why a chain from a server or from disk is not taken for a subject.
package enum IssuedChainError: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed(CryptoError)
    case empty
    case otherKey
    case otherIdentity(String)
    case untrusted(PathError)

    package var description: String {
        switch self {
        case .malformed(let error): "\(error)"
        case .empty: "the chain is empty"
        case .otherKey: "the certificate is for another key"
        case .otherIdentity(let name): "the certificate is that of \(name)"
        case .untrusted(let error): "\(error)"
        }
    }
}

/// The roots of a trust document, as both ends of a connection check against them.
package struct MeshRoots: Sendable {
    /// Checks peers and our own certificates.
    package let validator: SVIDValidator
    /// Where the identities belong.
    package let trustDomain: TrustDomain

    /// Throws when a root of the document is no certificate.
    package init(certificates: [[UInt8]], trustDomain: TrustDomain) throws(CryptoError) {
        var roots: [Certificate] = []
        for bytes in certificates { roots.append(try Certificate(der: bytes)) }
        validator = SVIDValidator(trustDomain: trustDomain.text, roots: roots)
        self.trustDomain = trustDomain
    }

    /// Checks that a chain is what `subject` presents: our key, its name, a trusted root.
    ///
    /// An expired chain is refused as untrusted.
    package func check(
        _ chain: [[UInt8]],
        key: PublicKey,
        identity: SPIFFEID,
        now: Timestamp
    ) throws(IssuedChainError) {
        guard let first = chain.first else { throw .empty }
        var certificates: [Certificate] = []
        for bytes in chain {
            do throws(CryptoError) {
                certificates.append(try Certificate(der: bytes))
            } catch {
                throw .malformed(error)
            }
        }
        guard let leaf = certificates.first, leaf.encoded == first, leaf.spki == key.spki else {
            throw .otherKey
        }
        var question = PathValidator.Question(role: .server, time: now)
        question.intermediates = Array(certificates.dropFirst())
        let found: SVIDValidator.Identity
        do throws(PathError) {
            found = try validator.validate(leaf, question)
        } catch {
            throw .untrusted(error)
        }
        guard found.spiffeID == identity.description else {
            throw .otherIdentity(found.spiffeID)
        }
    }
}
