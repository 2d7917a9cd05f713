package import Mesh
package import Wire

/// An agent of a file for offline signing: what a control plane learns when an agent joins.
package struct OfflineAgent: Equatable, Sendable {
    /// The word after `kind:`; in these files only, for an agent is no resource of the API that
    /// people write.
    package static let kind = "agent"

    /// A certificate that is not to be issued but was made elsewhere.
    package struct BroughtLeaf: Equatable, Sendable {
        package let service: ServiceName
        /// PEM, the leaf first.
        package let certificateFile: String
        /// PEM, PKCS#8.
        package let keyFile: String
        package let position: SourcePosition
    }

    package let name: AgentName
    /// Nil for one that hosts nothing that others reach.
    package let meshAddress: MeshAddress?
    package let leaves: [BroughtLeaf]
    package let position: SourcePosition

    /// Reads `name`, `mesh_address` and `leaves`.
    init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            _ = try reader.required("kind").choice(of: [Self.kind])
            return OfflineAgent(
                name: try reader.required("name").label(),
                meshAddress: try reader.optional("mesh_address").map {
                    address throws(FieldError) in
                    try address.parsed(as: "an IP address and a port, such as 127.0.0.2:7443") {
                        text throws(NameError) in try MeshAddress(text)
                    }
                },
                leaves: try reader.list("leaves", limit: ServiceResource.nestedMax) {
                    leaf throws(FieldError) in
                    try leaf.map { reader throws(FieldError) in
                        BroughtLeaf(
                            service: try reader.required("service").serviceName(),
                            certificateFile: try reader.string("certificate_file"),
                            keyFile: try reader.string("key_file"),
                            position: leaf.document.position
                        )
                    }
                },
                position: value.document.position
            )
        }
    }

    private init(
        name: AgentName,
        meshAddress: MeshAddress?,
        leaves: [BroughtLeaf],
        position: SourcePosition
    ) {
        self.name = name
        self.meshAddress = meshAddress
        self.leaves = leaves
        self.position = position
    }
}
