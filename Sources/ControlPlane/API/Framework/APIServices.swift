package import Control
package import HTTP
import Mesh
package import Wire

/// What the API asks of the rooms below for every request; the wiring fills it in.
package struct APIServices: Sendable {
    /// Who enforces a revision already.
    package struct Enforcement: Sendable, Equatable {
        package let revision: Int64
        package let acknowledged: [String]
        package let pending: [String]
        /// Whether the revision is published everywhere and nobody is pending.
        package let isComplete: Bool
        /// From the commit to the last acknowledgement; nil without any.
        package let elapsed: Duration?

        package init(
            revision: Int64,
            acknowledged: [String],
            pending: [String],
            isComplete: Bool,
            elapsed: Duration? = nil
        ) {
            self.elapsed = elapsed
            self.revision = revision
            self.acknowledged = acknowledged
            self.pending = pending
            self.isComplete = isComplete
        }
    }

    /// Something that must work before this replica takes requests.
    package struct ReadinessCheck: Sendable {
        package let name: String
        /// Nil when all is well, else what is wrong.
        package let problem: @Sendable () async -> String?

        package init(_ name: String, problem: @escaping @Sendable () async -> String?) {
            self.name = name
            self.problem = problem
        }
    }

    /// The caller behind a token; nil is a request without one, which is refused and counted too.
    ///
    /// The certificate is what the connection has shown.
    package var authenticate:
        @Sendable (
            PresentedToken?, _ sourceAddress: String, _ requestID: String, PresentedCertificate?
        ) async throws(ControlError) -> Caller
    /// Puts a refused right into the audit trail.
    package var recordDenial: @Sendable (Caller, RequiredRight) async -> Void
    /// Claims the caller's key for a request with this digest, or says what happened to it.
    package var claim:
        @Sendable (Caller, IdempotencyKey, [UInt8]) async throws(ControlError) -> CreationClaim
    /// Stores the answer of a claimed request.
    package var complete:
        @Sendable (Caller, IdempotencyKey, StoredAnswer) async throws(ControlError) -> Void
    /// Frees the key of a claimed request that had no effect.
    package var abandon: @Sendable (Caller, IdempotencyKey) async throws(ControlError) -> Void
    /// Refuses where no more answers of a path may wait for whoever opens them.
    package var checkWrapping: @Sendable (_ path: String, Caller) async throws(ControlError) -> Void
    /// Keeps an answer sealed for a time, asked for by a path, and gives what opens it.
    package var wrap:
        @Sendable (Document, Duration, _ path: String, Caller) async throws(ControlError) ->
            Document
    /// Waits until live agents acknowledged a revision, at most so long.
    package var waitEnforced: @Sendable (Int64, Duration) async -> Enforcement
    /// Digest of a request for its idempotency key.
    package var digest: @Sendable ([UInt8]) -> [UInt8]
    package var readiness: [ReadinessCheck]
    /// The text of all metrics.
    package var metrics: @Sendable () -> String
    /// Counts a finished request by route and status.
    package var count: @Sendable (_ route: String, _ status: Int) -> Void
    /// The server name under which hosts enrol.
    package var enrolmentServerName: String

    /// Services that refuse every caller and know nothing: each closure must be given.
    package init(enrolmentServerName: String) {
        self.enrolmentServerName = enrolmentServerName
        authenticate = { _, _, _, _ throws(ControlError) in
            throw .unavailable(Complaint("server.starting", "the server is still starting"))
        }
        recordDenial = { _, _ in }
        claim = { _, _, _ in .claimed }
        complete = { _, _, _ in }
        abandon = { _, _ in }
        checkWrapping = { _, _ in }
        wrap = { _, _, _, _ throws(ControlError) in
            throw .unavailable(Complaint("server.starting", "the server is still starting"))
        }
        waitEnforced = { revision, _ in
            Enforcement(
                revision: revision,
                acknowledged: [],
                pending: [],
                isComplete: false
            )
        }
        digest = { $0 }
        readiness = []
        metrics = { "" }
        count = { _, _ in }
    }
}
