package import Control
import HTTP
import Observability

extension APIServices {
    /// What the rooms of an open control plane do for every request.
    package init(_ control: ControlPlane) {
        self.init(enrolmentServerName: "enroll.\(control.trustDomain)")
        authenticate = { token, source, requestID async throws(ControlError) in
            try await control.identity.authenticate(
                token: token?.secret,
                sourceAddress: source,
                requestID: requestID
            )
        }
        recordDenial = { caller, right in
            control.identity.recordDenial(of: caller, on: right.path)
        }
        replay = { caller, key async throws(ControlError) in
            let found = try await control.idempotency.find(
                principal: caller.principal,
                key: key.text
            )
            return found.map {
                Replay(requestHash: $0.requestHash, status: $0.status, body: $0.body)
            }
        }
        remember = { caller, key, replay async throws(ControlError) in
            try await control.idempotency.keep(
                StoredAnswer(
                    requestHash: replay.requestHash,
                    status: replay.status,
                    body: replay.body
                ),
                principal: caller.principal,
                key: key.text
            )
        }
        digest = Idempotency.hash
        metrics = { control.metrics.prometheusText() }
        readiness = [
            ReadinessCheck("database") {
                do throws(ControlError) {
                    _ = try await control.status()
                    return nil
                } catch {
                    return error.complaint.text
                }
            }
        ]
    }
}
