import Crypto
package import Store
import Wire

/// An answer that is given again to the same request.
package struct StoredAnswer: Equatable, Sendable {
    package let requestHash: [UInt8]
    package let status: Int
    package let body: [UInt8]

    package init(requestHash: [UInt8], status: Int, body: [UInt8]) {
        self.requestHash = requestHash
        self.status = status
        self.body = body
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
    ) async throws(ControlError) -> IdempotencyClaim {
        guard (1...Self.keyBytesMax).contains(key.utf8.count), Text.isPrintableASCII(key) else {
            throw .invalid(
                "idempotency_key.invalid",
                field: "Idempotency-Key",
                "must be 1 to \(Self.keyBytesMax) printable ASCII characters"
            )
        }
        return try await control.write { database in
            try await IdempotencyRepository.claim(
                principal: principal,
                key: key,
                requestHash: requestHash,
                in: database
            )
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

    /// The answer that was kept under a key, if there is one.
    package func find(
        principal: String,
        key: String
    ) async throws(ControlError) -> StoredAnswer? {
        let found = try await control.read { database in
            try await IdempotencyRepository.find(principal: principal, key: key, in: database)
        }
        return found.map {
            StoredAnswer(requestHash: $0.requestHash, status: $0.status, body: $0.body)
        }
    }

    /// Keeps an answer under a key that nobody has used; the first one stays.
    package func keep(
        _ answer: StoredAnswer,
        principal: String,
        key: String
    ) async throws(ControlError) {
        let claim = try await claim(
            principal: principal,
            key: key,
            requestHash: answer.requestHash
        )
        guard claim == .claimed else { return }
        try await complete(
            principal: principal,
            key: key,
            status: answer.status,
            body: answer.body
        )
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
