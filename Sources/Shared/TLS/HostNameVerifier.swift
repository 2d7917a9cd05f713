package import Crypto
package import Wire

/// Verifies a server as browsers do: a path to given roots, and the host's name or address.
package struct HostNameVerifier: Sendable {
    private let paths: PathValidator
    private let name: ReferenceName
    private let clock: @Sendable () -> Timestamp

    /// `host` is a DNS name or an address, as it stands in the URL.
    package init(
        roots: [Certificate],
        host: String,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        paths = PathValidator(roots: roots)
        name = ReferenceName(host: host)
        self.clock = clock
    }

    /// The same with the roots of a PEM text; those that cannot be read are left out, nil if all are.
    package init?(
        rootsPEM: [UInt8],
        host: String,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        let blocks = (try? PEM.decode(rootsPEM)) ?? []
        let roots = blocks.filter { $0.label == "CERTIFICATE" }
            .compactMap { try? Certificate(der: $0.bytes) }
        guard !roots.isEmpty else { return nil }
        self.init(roots: roots, host: host, clock: clock)
    }

    /// For a client context or session.
    package var verifier: PeerVerifier {
        { [self] chain in
            do throws(PathError) {
                let leaf = try chain.parsedLeaf()
                var question = PathValidator.Question(role: chain.pathRole, time: clock())
                question.intermediates = chain.parsedIntermediates()
                question.name = name
                let path = try paths.validate(leaf, question)
                return .accept(
                    PeerIdentity(leaf, name: name.description, notAfter: path.notAfter)
                )
            } catch {
                return .refuse(PeerRefusal(error))
            }
        }
    }
}
