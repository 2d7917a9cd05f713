import Foundation
import HTTP
import Reactor
import Support
import Transport
import Wire

/// Bytes of a test's own over the real TLS socket of the API.
struct RawConnection: Sendable {
    private let connection: StreamConnection

    init(to server: ServerChild) async throws {
        let address = try server.api.address
        connection = try await StreamConnection.connect(
            to: address,
            on: TestDatabase.reactor,
            security: try APIClient.security(address, authorityFile: server.site.authorityFile),
            deadline: .now + .seconds(20)
        )
    }

    /// Sends; false when the other side is gone.
    @discardableResult
    func send(_ text: String) async -> Bool {
        (try? await connection.write(Array(text.utf8))) != nil
    }

    /// What comes until the server ends the connection, and whether it ended at all.
    func receiveAll(within limit: Duration = .seconds(30)) async -> (text: String, ended: Bool) {
        var bytes: [UInt8] = []
        do throws(StreamError) {
            while let part = try await connection.read(deadline: .now + limit) { bytes += part }
            return (String(decoding: bytes, as: UTF8.self), true)
        } catch {
            let ended = error != .timedOut(.reading)
            return (String(decoding: bytes, as: UTF8.self), ended)
        }
    }

    func close() async { await connection.close() }

    /// Sends bytes on a connection of their own and reads to its end.
    static func exchange(
        _ text: String,
        with server: ServerChild
    ) async throws -> (text: String, ended: Bool) {
        let connection = try await RawConnection(to: server)
        await connection.send(text)
        let answer = await connection.receiveAll()
        await connection.close()
        return answer
    }
}

extension String {
    /// The status codes of the answers in a stream of bytes.
    var statuses: [String] {
        components(separatedBy: "HTTP/1.1 ").dropFirst().map { String($0.prefix(3)) }
            .filter { Int($0) != nil }
    }
}
