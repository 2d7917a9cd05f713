package import Crypto

/// Why a snapshot is refused; the one that is enforced stays.
package enum SnapshotRefusal: Error, Hashable, Sendable {
    case malformed(SnapshotFormatError)
    case wrongPayloadType
    /// No signature names a key of the trust document.
    case unknownKey
    /// A key of the trust document is named, but the signature is not its.
    case badSignature
    /// The signer's key is not valid at this moment.
    case keyOutsideValidity
    case foreignTrustDomain
    case otherAgent
    case olderEpoch(required: UInt64, shown: UInt64)
    /// The epoch is higher than the trust document says, and only that raises it.
    case epochNotRaised(required: UInt64, shown: UInt64)
    case olderRevision(held: UInt64, shown: UInt64)
    /// The held revision with other sections.
    case fork(revision: UInt64)
    case expired
    case notYetValid
    case lifetimeTooLong
    /// All sections together are larger than an agent takes.
    case tooLarge(byteCount: Int)
    case sectionMissing(SHA256Digest)
    case sectionSizeDiffers(SHA256Digest)
    case sectionHashDiffers(SHA256Digest)
    case sectionMalformed(SHA256Digest, SnapshotFormatError)
    /// The section speaks of something else than the manifest says.
    case sectionMisnamed(SHA256Digest)

    /// The stable word for logs, metrics and acknowledgements.
    package var code: String {
        switch self {
        case .malformed: "malformed"
        case .wrongPayloadType: "wrong_payload_type"
        case .unknownKey: "unknown_key"
        case .badSignature: "bad_signature"
        case .keyOutsideValidity: "key_outside_validity"
        case .foreignTrustDomain: "foreign_trust_domain"
        case .otherAgent: "other_agent"
        case .olderEpoch: "older_epoch"
        case .epochNotRaised: "epoch_not_raised"
        case .olderRevision: "older_revision"
        case .fork: "fork"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .lifetimeTooLong: "lifetime_too_long"
        case .tooLarge: "too_large"
        case .sectionMissing: "section_missing"
        case .sectionSizeDiffers: "section_size_differs"
        case .sectionHashDiffers: "section_hash_differs"
        case .sectionMalformed: "section_malformed"
        case .sectionMisnamed: "section_misnamed"
        }
    }
}

extension SnapshotRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let error): "malformed: \(error)"
        case .sectionMalformed(let hash, let error): "section_malformed \(hash): \(error)"
        case .sectionMissing(let hash), .sectionSizeDiffers(let hash),
            .sectionHashDiffers(let hash), .sectionMisnamed(let hash):
            "\(code) \(hash)"
        case .olderEpoch(let required, let shown), .epochNotRaised(let required, let shown):
            "\(code): \(required) is required, \(shown) was shown"
        case .olderRevision(let held, let shown): "\(code): \(held) is held, \(shown) was shown"
        case .fork(let revision): "\(code): two contents at revision \(revision)"
        case .tooLarge(let count): "\(code): \(count) bytes"
        case .wrongPayloadType, .unknownKey, .badSignature, .keyOutsideValidity,
            .foreignTrustDomain, .otherAgent, .expired, .notYetValid, .lifetimeTooLong:
            code
        }
    }
}
