import Crypto
import Postgres
import Store
import Wire

/// An answer that is given again to the same request.
package struct StoredAnswer: Equatable, Sendable {
    package let status: Int
    package let body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// What is known about a creation that its caller may repeat.
package enum CreationClaim: Equatable, Sendable {
    /// Nobody has used the key: the caller works, then completes or abandons.
    case claimed
    case answered(StoredAnswer)
    /// The key belongs to another request.
    case mismatched
    /// The same request is being worked on.
    case inProgress
}

/// The key under which a creation was claimed; its answer commits together with what it creates, so
/// that whoever repeats the request after a lost answer learns what happened.
package struct CreationKey: Equatable, Sendable {
    package let principal: String
    package let text: String

    package init(principal: String, text: String) {
        self.principal = principal
        self.text = text
    }

    /// Keeps the answer in the transaction of the creation.
    ///
    /// - Throws: `conflict` if the claim has lapsed: another repetition may be at work.
    func keep(_ answer: StoredAnswer, in database: PostgresTransaction) async throws {
        let isKept = try await IdempotencyRepository.complete(
            principal: principal,
            key: text,
            status: answer.status,
            body: answer.body,
            in: database
        )
        guard isKept else {
            throw ControlError.conflict(
                Complaint(
                    "request.in_progress",
                    "the request took too long and its Idempotency-Key has lapsed; repeat it"
                )
            )
        }
    }
}

/// Creations that their callers may repeat without doing them twice.
///
/// Never for answers that hold a secret: they would be kept.
package struct Idempotency: Sendable {
    package static let keyBytesMax = 255

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Claims a key for a request of a principal, or says what happened to it.
    package func claim(
        principal: String,
        key: String,
        requestHash: [UInt8]
    ) async throws(ControlError) -> CreationClaim {
        guard (1...Self.keyBytesMax).contains(key.utf8.count), Text.isPrintableASCII(key) else {
            throw .invalid(
                "idempotency_key.invalid",
                field: "Idempotency-Key",
                "must be 1 to \(Self.keyBytesMax) printable ASCII characters"
            )
        }
        let claim = try await control.write { database in
            try await IdempotencyRepository.claim(
                principal: principal,
                key: key,
                requestHash: requestHash,
                in: database
            )
        }
        return switch claim {
        case .claimed: .claimed
        case .answered(let status, let body): .answered(StoredAnswer(status: status, body: body))
        case .mismatched: .mismatched
        case .inProgress: .inProgress
        }
    }

    /// Keeps the answer of a claimed request for a day.
    package func complete(
        principal: String,
        key: String,
        status: Int,
        body: [UInt8]
    ) async throws(ControlError) {
        try await control.write { database in
            try await IdempotencyRepository.complete(
                principal: principal,
                key: key,
                status: status,
                body: body,
                in: database
            )
        }
    }

    /// The hash by which a repeated request is recognised.
    package static func hash(_ request: [UInt8]) -> [UInt8] {
        SHA256.digest(of: request).bytes
    }

    /// Gives a claimed key back after a request that had no effect.
    package func abandon(principal: String, key: String) async throws(ControlError) {
        try await control.write { database in
            try await IdempotencyRepository.abandon(principal: principal, key: key, in: database)
        }
    }
}

extension ControlPlane {
    /// Creations that their callers may repeat.
    package var idempotency: Idempotency { Idempotency(self) }
}
