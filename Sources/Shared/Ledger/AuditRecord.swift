package import Crypto
package import Wire

/// One link of a writer's chain: who did what to what, with which outcome.
///
/// The fields are what is stored and shown; `hash` covers every one of them with its length in
/// front, so that moving a byte from one field into the next changes it.
package struct AuditRecord: Hashable, Sendable {
    /// The most bytes of one text field but `detail`.
    package static let textMaxBytes = 4096
    /// The most bytes of `detail`.
    package static let detailMaxBytes = 65_536

    /// The record's own id.
    package var id: UUIDv7
    /// To the microsecond, which is what PostgreSQL keeps; the rest of it is not hashed.
    package var time: Timestamp
    /// The replica or agent that wrote it; each has a chain of its own.
    package var writer: String
    /// From 1, without a gap within a chain.
    package var sequence: UInt64
    /// The hash of the record before, or of the chain's beginning.
    package var previousHash: SHA256Digest
    /// Who acted: a principal, never a credential.
    package var actor: String
    /// What was done, as a stable word.
    package var action: String
    /// The canonical path of what it was done to.
    package var resource: String
    /// How it ended, as a stable word.
    package var outcome: String
    /// Why, as a stable word; nil where the outcome says it all.
    package var reason: String?
    /// Where the call came from.
    package var sourceAddress: String?
    /// The request that caused it.
    package var requestID: String?
    /// The revision that the act made, if it changed configuration.
    package var revision: UInt64?
    /// Canonical JSON, redacted before it got here.
    package var detail: String?

    package init(
        id: UUIDv7,
        time: Timestamp,
        writer: String,
        sequence: UInt64,
        previousHash: SHA256Digest,
        actor: String,
        action: String,
        resource: String,
        outcome: String,
        reason: String? = nil,
        sourceAddress: String? = nil,
        requestID: String? = nil,
        revision: UInt64? = nil,
        detail: String? = nil
    ) {
        self.id = id
        self.time = time
        self.writer = writer
        self.sequence = sequence
        self.previousHash = previousHash
        self.actor = actor
        self.action = action
        self.resource = resource
        self.outcome = outcome
        self.reason = reason
        self.sourceAddress = sourceAddress
        self.requestID = requestID
        self.revision = revision
        self.detail = detail
    }

    /// The link: SHA-256 over all fields, each with its length.
    package var hash: SHA256Digest {
        var image = HashImage("turnpike audit record 1")
        image.add(id.bytes)
        image.add(UInt64(bitPattern: time.microsecondsSinceEpoch))
        image.add(writer)
        image.add(sequence)
        image.add(previousHash.bytes)
        image.add(actor)
        image.add(action)
        image.add(resource)
        image.add(outcome)
        image.add(optional: reason)
        image.add(optional: sourceAddress)
        image.add(optional: requestID)
        image.add(optional: revision.map { String($0) })
        image.add(optional: detail)
        return image.digest
    }

    /// The record that follows this one in its chain, with the other fields of `next`.
    package func linking(_ next: AuditRecord) -> AuditRecord {
        var linked = next
        linked.writer = writer
        linked.sequence = sequence &+ 1
        linked.previousHash = hash
        return linked
    }
}

/// Bytes to be hashed, in which no field can run into another.
struct HashImage {
    private var bytes: [UInt8] = []

    /// - Parameter purpose: keeps hashes and signatures of different things apart.
    init(_ purpose: String) { add(purpose) }

    mutating func add(_ field: [UInt8]) {
        add(UInt64(field.count))
        bytes += field
    }

    mutating func add(_ text: String) { add(Array(text.utf8)) }

    mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    /// Absence is not the empty text.
    mutating func add(optional text: String?) {
        bytes.append(text == nil ? 0 : 1)
        if let text { add(text) }
    }

    var digest: SHA256Digest { SHA256.digest(of: bytes) }

    var image: [UInt8] { bytes }
}
