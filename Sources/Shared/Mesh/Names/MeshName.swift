/// The DNS name under which a service is known to TLS: SNI and DNS SAN.
///
/// `<service>.<namespace>.svc.<trust domain>`, compared byte for byte: DNS would fold case, but
/// every peer builds this name with the same function, so another spelling is a stranger's and
/// is refused like any unknown name. A trailing dot is refused too.
package struct MeshName: Hashable, Sendable, CustomStringConvertible {
    /// The service that is named.
    package let service: ServiceName
    /// The trust domain of the name.
    package let trustDomain: TrustDomain

    package init(service: ServiceName, trustDomain: TrustDomain) {
        self.service = service
        self.trustDomain = trustDomain
    }

    /// Reads a name exactly; nothing is folded or trimmed.
    package init(_ text: String) throws(NameError) {
        let parts = text.split(
            separator: ".",
            maxSplits: 3,
            omittingEmptySubsequences: false
        )
        guard parts.count == 4, parts[2] == "svc" else {
            throw .malformed("must be <service>.<namespace>.svc.<trust domain>")
        }
        service = ServiceName(
            namespace: try NamespaceName(String(parts[1])),
            name: try ServiceLabel(String(parts[0]))
        )
        trustDomain = try TrustDomain(String(parts[3]))
        try trustDomain.checkServing()
    }

    /// The DNS name itself.
    package var text: String {
        "\(service.name.text).\(service.namespace.text).svc.\(trustDomain.text)"
    }

    package var description: String { text }
}

/// The name of `service` for SNI and DNS SAN.
package func meshName(_ service: ServiceName, in trustDomain: TrustDomain) -> String {
    MeshName(service: service, trustDomain: trustDomain).text
}
