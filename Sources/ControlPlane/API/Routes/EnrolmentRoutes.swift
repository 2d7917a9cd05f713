package import Control
import HTTP
import Mesh
import Wire

/// What a host asks before it is an agent, under the enrolment server name only.
package enum EnrolmentRoutes {
    /// The trust document, and the exchange of a join token for a certificate.
    package static func routes(_ exchange: EnrolmentExchange) -> [Route] {
        [
            Route(
                .get,
                "/v1/trust",
                "getTrust",
                room: "enrolment",
                "The signed trust document; its hash is in the join token",
                access: .enrolment
            ) { _ throws(ControlError) in
                var answer = Answer(.null)
                answer.text = (try exchange.trustEnvelope(), "application/json")
                return answer
            }
            .answering(.any),
            Route(
                .post,
                "/v1/enroll",
                "enroll",
                room: "enrolment",
                "Redeems a join token: the key of the request becomes the agent's",
                access: .enrolment
            ) { request throws(ControlError) in
                Answer(try await exchange.enrol(request.body, by: request.caller))
            }
            .taking(
                .object([
                    .required("secret", .text(), "The secret of the join token, base64url"),
                    .required("csr", .text(), "PKCS#10, base64; only its public key counts"),
                ])
            )
            .answering(
                .object([
                    .readOnly("agent", .text(), "Who the host is from now on"),
                    .readOnly("chain", .list(.text()), "DER in base64, leaf first"),
                    .readOnly("servers", .list(.text()), "Where it connects, host:port"),
                ])
            ),
        ]
    }
}
