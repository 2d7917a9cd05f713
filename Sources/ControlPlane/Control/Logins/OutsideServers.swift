import Crypto
import Mesh
import Reactor
import Synchronization
import Transport
import Wire

/// Servers of other people that this replica asks: HTTPS with the name verified, no redirects, and no
/// private address unless the operator said so.
final class OutsideServers: Sendable {
    private static let rootsPath = "/etc/ssl/certs/ca-certificates.crt"
    private static let rootsBytesMax = 4 << 20
    static let lookupsWaitingMax = 64

    private let surroundings: Surroundings
    private let reactor: Reactor
    private let resolver = Mutex<WorkerPool?>(nil)

    init(_ surroundings: Surroundings, on reactor: Reactor) {
        self.surroundings = surroundings
        self.reactor = reactor
    }

    /// Whom to ask, and how to know them.
    struct Place: Sendable {
        let address: String
        /// PEM; empty for the authorities of the system.
        let rootsPEM: String
        let mayBePrivate: Bool
        let byteCountMax: Int
    }

    /// Sends one request, and gives the answer whatever its status.
    func ask(
        _ place: Place,
        _ request: DocumentFetch.Request
    ) async throws(DocumentFetchError) -> DocumentFetch.Reply {
        guard let address = DocumentAddress(place.address) else {
            throw .failed("the address is not https://host/path")
        }
        let mayBePrivate = place.mayBePrivate
        let fetch = DocumentFetch(
            rootsPEM: try roots(place.rootsPEM),
            byteCountMax: place.byteCountMax,
            admits: { bytes in
                guard let address = Mesh.IPAddress(bytes: bytes) else { return false }
                return address.isPublic || (mayBePrivate && address.reach != .nowhere)
            },
            clock: surroundings.now
        )
        return try await fetch.send(request, to: address, on: reactor, resolver: try threads())
    }

    private func roots(_ pem: String) throws(DocumentFetchError) -> [UInt8] {
        if !pem.isEmpty { return Array(pem.utf8) }
        guard
            let roots = try? FileSystem.read(
                Self.rootsPath,
                byteCountMax: Self.rootsBytesMax,
                followsLinks: true
            )
        else { throw .noRoots }
        return roots
    }

    private func threads() throws(DocumentFetchError) -> WorkerPool {
        let pool = resolver.withLock { pool in
            if pool == nil {
                pool = try? WorkerPool(
                    name: "issuers",
                    threadCount: 1,
                    queuedMax: Self.lookupsWaitingMax
                )
            }
            return pool
        }
        guard let pool else { throw .failed("no thread to look names up with") }
        return pool
    }
}
