import Foundation
import Glibc
import HTTP
import Support
import Testing

struct OrderlyStartAndEndTests {
    /// A datagram socket at a path, as a service manager has one.
    private final class NotifySocket: Sendable {
        private let number: Int32

        init(_ path: String) {
            number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            var limit = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(
                number,
                SOL_SOCKET,
                SO_RCVTIMEO,
                &limit,
                socklen_t(MemoryLayout<timeval>.size)
            )
        }

        deinit { close(number) }

        /// The next message; empty after a minute.
        func next() async -> String {
            await onThread { [number] in
                var bytes = [UInt8](repeating: 0, count: 512)
                let count = recv(number, &bytes, bytes.count, 0)
                return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            }
        }
    }

    @Test func theServiceManagerHearsOfReadinessAndOfTheEnd() async throws {
        let site = try ServerSite()
        let socket = NotifySocket(site.path + "/notify")
        let server = try site.launch(environment: ["NOTIFY_SOCKET": site.path + "/notify"])
        #expect(await socket.next() == "READY=1")
        // Whoever was told so finds it listening.
        #expect(server.output.contains("listening agents"))
        try await server.waitUntilReady()
        server.signal(SIGTERM)
        #expect(await socket.next() == "STOPPING=1")
        #expect(await server.wait() == 0)
    }

    @Test func requestsInServiceAreAnsweredAndTheDatabaseEndsLast() async throws {
        let site = try ServerSite()
        let server = try await site.start(["--shutdown-drain", "20s"])
        let home = try await server.enrol("slow")
        let agent = try await home.start()
        try await server.waitUntilEnforcing(["slow"])
        _ = try await server.send(.put, "/v1/services/default/a", body: "{}")
        agent.signal(SIGSTOP)
        let idle = try await RawConnection(to: server)
        let client = try server.newClient()
        let token = try await site.administratorToken(server)
        // A change of its agent, which cannot acknowledge it: the answer takes two seconds.
        async let waiting = client.send(
            .put,
            "/v1/placements/default/a/slow?wait=enforced&timeout=2s",
            token: token,
            body: "{}"
        )
        try await Task.sleep(for: .milliseconds(500))
        server.signal(SIGTERM)
        let answer = try await waiting
        #expect(answer.status == 201, "\(answer.text)")
        #expect(answer.fields.first(.connection) == "close")
        // An idle connection holds nobody up.
        #expect(await idle.receiveAll().ended)
        #expect(await server.wait() == 0)
        #expect(site.postmaster == nil)
        let again = try await site.start()
        #expect(try await again.send(.get, "/v1/placements/default/a/slow").status == 200)
        #expect(await again.stop() == 0)
        agent.signal(SIGKILL)
    }

    @Test func aSecondSignalEndsAtOnce() async throws {
        let site = try ServerSite()
        let server = try await site.start(["--shutdown-drain", "60s"])
        let open = try await RawConnection(to: server)
        // A request that has begun keeps the drain waiting.
        await open.send(
            "POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n"
        )
        try await Task.sleep(for: .milliseconds(200))
        server.signal(SIGTERM)
        try await Task.sleep(for: .milliseconds(300))
        #expect(server.isRunning)
        server.signal(SIGTERM)
        #expect(await server.wait() == 1)
    }

    @Test func aKeyOnTheVolumeOfTheDataIsAWarningAtStart() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        #expect(server.log.contains("keys.kek_file lies on the volume of data_directory"))
        await server.stop()
        guard FileManager.default.isWritableFile(atPath: "/dev/shm") else { return }
        let elsewhere = "/dev/shm/turnpike-kek-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: elsewhere) }
        let apart = try await ServerSite(["--keys-kek-file", elsewhere]).start()
        #expect(!apart.log.contains("lies on the volume"))
        await apart.stop()
    }
}
