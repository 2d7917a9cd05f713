package import Crypto
package import Mesh
package import Snapshot
package import TLS
package import Wire

/// All that the data path enforces at a time: a snapshot with the keys and roots that go with it.
///
/// Immutable; each reactor holds a reference, replaced through its mailbox.
package final class EnforcedConfiguration: Sendable {
    /// Rules, services and upstream ports.
    package let snapshot: ValidatedSnapshot
    /// Own certificates, of hosted services and of the sources of upstream ports.
    package let identities: [ServiceName: ServiceIdentity]
    /// Checks peers against the roots of the trust document.
    package let validator: SVIDValidator
    /// The roots of the trust document, and those that were taken out of it in good order.
    package let trustedRoots: TrustedRoots
    /// The hash of the trust document; another one empties the caches of verified peers.
    package let trustHash: SHA256Digest

    package init(
        snapshot: ValidatedSnapshot,
        identities: [ServiceName: ServiceIdentity],
        validator: SVIDValidator,
        trustedRoots: TrustedRoots,
        trustHash: SHA256Digest
    ) {
        self.trustedRoots = trustedRoots
        self.snapshot = snapshot
        self.identities = identities
        self.validator = validator
        self.trustHash = trustHash
    }
}

extension EnforcedConfiguration {
    /// Trusts the roots that a trust document holds.
    package convenience init(
        snapshot: ValidatedSnapshot,
        identities: [ServiceName: ServiceIdentity],
        trust: TrustAnchor
    ) throws(CryptoError) {
        var roots: [Certificate] = []
        for authority in trust.document.authorities {
            roots.append(try Certificate(der: authority.certificate))
        }
        self.init(
            snapshot: snapshot,
            identities: identities,
            validator: SVIDValidator(
                trustDomain: trust.document.trustDomain.text,
                roots: roots
            ),
            trustedRoots: TrustedRoots(trust.document),
            trustHash: trust.hash
        )
    }

    /// What the agent can show in a service's name.
    enum OwnIdentity {
        case valid(ServiceIdentity)
        case refused(DecisionReason)
    }

    /// The own certificate of a service, or why none counts now.
    func identity(of service: ServiceName, at now: Timestamp) -> OwnIdentity {
        guard let identity = identities[service] else { return .refused(.ownCertificateMissing) }
        guard identity.notBefore.secondsSinceEpoch <= now.secondsSinceEpoch else {
            return .refused(.ownCertificateNotYetValid)
        }
        guard !snapshot.revocations.contains(identity.serialNumber) else {
            return .refused(.leafRevoked)
        }
        return identity.isValid(at: now) ? .valid(identity) : .refused(.ownCertificateExpired)
    }
}

/// An own certificate with its key and dates.
package struct ServiceIdentity: Sendable {
    /// Chain and key.
    package let credentials: TLSCredentials
    /// The leaf's serial number, big-endian.
    package let serialNumber: [UInt8]
    /// The first second of validity of the whole chain.
    package let notBefore: Timestamp
    /// The last second of validity of the whole chain, inclusive.
    package let notAfter: Timestamp

    /// Takes the chain as DER, leaf first and without the root, and its key.
    package init(chain: [[UInt8]], key: SigningKey) throws(ServiceIdentityError) {
        var notBefore = Timestamp.distantPast
        var notAfter = Timestamp.distantFuture
        var serialNumber: [UInt8]?
        for bytes in chain {
            do {
                let certificate = try Certificate(der: bytes)
                notBefore = max(notBefore, certificate.notBefore)
                notAfter = min(notAfter, certificate.notAfter)
                serialNumber = serialNumber ?? certificate.serialNumber
            } catch {
                throw .certificate(error)
            }
        }
        do {
            credentials = try TLSCredentials(chain: chain, key: key)
        } catch {
            throw .credentials(error)
        }
        self.serialNumber = serialNumber ?? []
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Takes the key as PKCS#8 DER.
    package init(chain: [[UInt8]], privateKey: [UInt8]) throws(ServiceIdentityError) {
        let key: SigningKey
        do throws(CryptoError) {
            key = try SigningKey(pkcs8: privateKey)
        } catch {
            throw .credentials(.invalidPrivateKey)
        }
        try self.init(chain: chain, key: key)
    }

    /// Whether every certificate of the chain is valid at `time`.
    package func isValid(at time: Timestamp) -> Bool {
        notBefore.secondsSinceEpoch <= time.secondsSinceEpoch
            && time.secondsSinceEpoch <= notAfter.secondsSinceEpoch
    }
}

/// Why a chain and a key are no identity.
package enum ServiceIdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    case certificate(CryptoError)
    case credentials(TLSConfigurationError)

    package var description: String {
        switch self {
        case .certificate(let error): "\(error)"
        case .credentials(let error): error.description
        }
    }
}
