import Snapshot
package import Wire

/// Enrolment in the words of its wire: documents in, documents out.
package struct EnrolmentExchange: Sendable {
    private let enrolment: Enrolment
    private let addresses: ServerAddresses

    package init(_ control: ControlPlane, _ authority: Authority, _ addresses: ServerAddresses) {
        enrolment = Enrolment(control, authority)
        self.addresses = addresses
    }

    /// The bytes of the trust document's envelope, exactly as they were signed.
    package func trustEnvelope() throws(ControlError) -> [UInt8] {
        try enrolment.trustEnvelope()
    }

    /// Redeems the join token of a request; the answer holds the certificate and the servers.
    package func enrol(
        _ body: Document,
        by caller: Caller
    ) async throws(ControlError) -> Document {
        let request: EnrolmentRequest
        do {
            request = try FieldReader.read(body) { reader throws(FieldError) in
                try EnrolmentRequest(from: &reader)
            }
        } catch {
            throw .invalid(
                Complaint("request.field", error.description),
                fields: [FieldProblem(error)]
            )
        }
        // Asked for first: an enrolment that could not be answered must not use up the token.
        let servers = try await addresses.resolved(enrolment.control).agents
        let (agent, certificate) = try await enrolment.enrol(
            secret: request.secret,
            request: request.csr,
            by: caller
        )
        return EnrolmentAnswer(agent: agent, chain: certificate.chain, servers: servers).document
    }
}
