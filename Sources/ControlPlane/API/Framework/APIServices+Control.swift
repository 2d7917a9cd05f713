package import Control
import HTTP
import Observability

extension APIServices {
    /// What the rooms of an open control plane do for every request.
    package init(_ control: ControlPlane) {
        self.init(enrolmentServerName: "enroll.\(control.trustDomain)")
        authenticate = { token, source, requestID, certificate async throws(ControlError) in
            try await control.identity.authenticate(
                token: token?.secret,
                sourceAddress: source,
                requestID: requestID,
                certificate: certificate
            )
        }
        recordDenial = { caller, right in
            control.identity.recordDenial(of: caller, right.capability, on: right.path)
        }
        claim = { caller, key, hash async throws(ControlError) in
            try await control.idempotency.claim(
                principal: caller.principal,
                key: key.text,
                requestHash: hash
            )
        }
        complete = { caller, key, answer async throws(ControlError) in
            try await control.idempotency.complete(
                principal: caller.principal,
                key: key.text,
                status: answer.status,
                body: answer.body
            )
        }
        abandon = { caller, key async throws(ControlError) in
            try await control.idempotency.abandon(principal: caller.principal, key: key.text)
        }
        checkWrapping = { path, caller async throws(ControlError) in
            try await control.wrapping.checkRoom(path: path, for: caller)
        }
        wrap = { answer, lifetime, path, caller async throws(ControlError) in
            try await control.wrapping.wrap(answer, for: lifetime, path: path, by: caller).document
        }
        digest = Idempotency.hash
        metrics = { control.metrics.prometheusText() }
        readiness = [
            ReadinessCheck("database") { await control.databaseProblem() }
        ]
    }
}
