package import Mesh
import Observability
package import Reactor
import Snapshot
import TLS
package import Wire

/// What the data path tells about itself, for the status endpoint.
package struct DataPlaneStatus: Equatable, Sendable {
    /// An upstream port.
    package struct Upstream: Equatable, Sendable {
        /// The port with its source, destination and users.
        package let declared: Mesh.Upstream
        /// Why it cannot be opened; nil while it listens.
        package let failure: SystemError?
        /// Connections through it, and those of them that wait for their destination.
        package private(set) var openCount = 0
        package private(set) var pendingCount = 0

        init(declared: Mesh.Upstream, failure: SystemError?) {
            self.declared = declared
            self.failure = failure
        }

        func with(open: Int, pending: Int) -> Upstream {
            var upstream = self
            upstream.openCount = open
            upstream.pendingCount = pending
            return upstream
        }
    }

    /// Where other agents connect; nil before the start and while draining.
    package var meshAddress: SocketAddress?
    /// Connections in any phase.
    package var connectionCount = 0
    /// Bytes that wait for room in a socket; 0 unless somebody reads slowly.
    package var heldByteCount = 0
    /// Addresses that are left out now since connections to them failed; each reactor counts.
    package var ejectedCount = 0
    /// Relayed connections by source, destination and rule.
    package var flows: [LiveFlow: Int] = [:]
    /// Ascending by port.
    package var upstreams: [Upstream] = []
    /// The last second of each own certificate.
    package var leafEnds: [ServiceName: Timestamp] = [:]
    /// The revision that all reactors enforce; nil without a snapshot.
    package var revision: UInt64?
    /// Until before when the manifest holds.
    package var manifestExpires: Timestamp?

    package init() {}
}
