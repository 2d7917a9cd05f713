package import Mesh

/// An instance of this host.
package struct InstanceKey: Hashable, Comparable, Sendable {
    package let service: ServiceName
    package let name: InstanceName

    package init(service: ServiceName, name: InstanceName) {
        self.service = service
        self.name = name
    }

    /// By service, then by name.
    package static func < (left: InstanceKey, right: InstanceKey) -> Bool {
        left.service == right.service ? left.name < right.name : left.service < right.service
    }
}

/// Which instances and which other hosts shall get no new connections as long as others are left.
///
/// It is no configuration: it never lets anybody reach what the snapshot does not name, and without
/// it everything counts as up.
package struct HealthView: Equatable, Sendable {
    /// Local instances whose checks fail.
    package var downInstances: Set<InstanceKey>
    /// What other hosts of a service weigh now, where it is not what the snapshot says.
    package var weights: [ServiceName: [AgentName: Int]]

    package init(
        downInstances: Set<InstanceKey> = [],
        weights: [ServiceName: [AgentName: Int]] = [:]
    ) {
        self.downInstances = downInstances
        self.weights = weights
    }
}
