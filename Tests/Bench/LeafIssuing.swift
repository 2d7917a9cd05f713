import Control
import Crypto
import Mesh
import Wire

/// A request's bytes in, a leaf's bytes out, with what `Issuance` does between them and no database.
struct LeafIssuing {
    /// So many different keys, as a fleet has them.
    private static let requestCount = 64
    private static let batch = 256

    private let authority: FoundedAuthority
    private let trustDomain: TrustDomain
    private let requests: [[UInt8]]

    init() throws {
        trustDomain = try TrustDomain("bench.test")
        authority = try FoundedAuthority.found(
            trustDomain,
            now: Cost.now,
            randomBytes: Randomness.bytes
        )
        requests = try (0..<Self.requestCount).map { _ in
            try CertificateSigningRequest.make(for: try SigningKey.generate(.ecdsaP256))
        }
    }

    /// Leaves per second of processor time of this one thread.
    func measure(seconds: Double) throws -> String {
        let service = Service(name: try ServiceName("default/web"))
        let order = CertificateOrder.service(
            service,
            on: try AgentName("host-1"),
            in: trustDomain
        )
        var count = 0
        let start = Cost.processorSeconds
        var spent = 0.0
        repeat {
            for index in 0..<Self.batch {
                let request = requests[index % requests.count]
                let key = try CertificateSigningRequest(verifying: request).publicKey
                let issued = try order.issued(
                    by: authority.intermediate.authority,
                    for: key,
                    now: Cost.now,
                    serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount)
                )
                guard issued.chain.count == 2 else { throw BenchError("the chain is not whole") }
            }
            count += Self.batch
            spent = Cost.processorSeconds - start
        } while spent < seconds
        return #"{"leaves":\#(count),"cpu_s":\#(spent),"per_cpu_s":\#(Double(count) / spent)}"#
    }
}
