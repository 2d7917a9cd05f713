import Foundation
import HTTP
import Mesh
import Reactor
import Support
import Testing
import Transport
import Wire

struct OfflineRunTests {
    private let mesh: TestMesh
    private let directory: AgentDirectory
    private let service: ServiceName

    init() throws {
        mesh = try TestMesh(now: Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()))
        directory = try AgentDirectory(mesh, agent: "host-1")
        service = try ServiceName("db")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service)
    }

    private func get(
        _ target: String,
        at address: String,
        host: String = "localhost",
        method: HTTP.Method = .get
    ) async throws -> (code: Int, body: String) {
        let thread = try ReactorThread(name: "client")
        let client = HTTPClient(
            on: thread.reactor,
            configuration: HTTPClientConfiguration(
                addresses: [try #require(SocketAddress(address))],
                authority: try #require(Authority(host)),
                security: .none
            )
        )
        let response = try await client.send(method, target, timeout: .seconds(20))
        await client.close()
        await onThread { thread.stop() }
        return (response.head.status.code, String(decoding: response.body, as: UTF8.self))
    }

    @Test func aDirectoryWithoutServersRunsFromDiskAndEndsOnSIGTERM() async throws {
        let child = try AgentChild(directory: directory.path)
        try #require(await child.waitForListeners())
        let status = try #require(child.listeners["status"])
        let answer = try await get("/status", at: status)
        #expect(answer.code == 200)
        let document = try JSON.parse(answer.body)
        #expect(document["revision"]?.integer == 4)
        #expect(document["agent"]?.text == "host-1")
        #expect(try await get("/readyz", at: status).code == 200)
        #expect(try await get("/livez", at: status).code == 200)
        #expect(try await get("/metrics", at: status).body.contains("turnpike_agent_"))
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
    }

    @Test func theStatusEndpointServesThisHostAndReadersOnly() async throws {
        let child = try AgentChild(directory: directory.path)
        try #require(await child.waitForListeners())
        let status = try #require(child.listeners["status"])
        #expect(try await get("/status", at: status, host: "evil.example").code == 421)
        #expect(try await get("/status", at: status, host: "127.0.0.1.nip.example").code == 421)
        #expect(try await get("/status", at: status, method: .delete).code == 405)
        #expect(try await get("/agent.key", at: status).code == 404)
        #expect(try await get("/status", at: status, host: "[::1]:7410").code == 200)
        let key = try String(contentsOfFile: directory.path + "/agent.key", encoding: .utf8)
        let line = try #require(key.split(separator: "\n").dropFirst().first)
        #expect(try await !get("/status", at: status).body.contains(line))
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
    }

    @Test func hangupEndsNothingAndASecondDirectoryUserIsRefused() async throws {
        let child = try AgentChild(directory: directory.path)
        try #require(await child.waitForListeners())
        child.signal(SIGHUP)
        let second = try AgentChild(directory: directory.path)
        let complaints = await second.complaints()
        #expect(await second.wait() == 1)
        #expect(complaints.contains("another agent runs"))
        let status = try #require(child.listeners["status"])
        #expect(try await get("/livez", at: status).code == 200)
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
    }

    @Test func theLastSnapshotComesBackAfterAKill() async throws {
        for _ in 0..<2 {
            let child = try AgentChild(directory: directory.path)
            try #require(await child.waitForListeners())
            let status = try #require(child.listeners["status"])
            let document = try JSON.parse(try await get("/status", at: status).body)
            #expect(document["revision"]?.integer == 4)
            child.signal(SIGKILL)
            #expect(await child.wait() == -SIGKILL)
        }
    }

    @Test func aLostSnapshotStartsClosedAndSaysSo() async throws {
        try FileManager.default.removeItem(atPath: directory.path + "/snapshot/manifest.json")
        let child = try AgentChild(directory: directory.path)
        try #require(await child.waitForListeners())
        let status = try #require(child.listeners["status"])
        #expect(try await get("/readyz", at: status).code == 503)
        let document = try JSON.parse(try await get("/status", at: status).body)
        #expect(document["revision"] == nil)
        #expect(document["last_refusal"]?["reason"]?.text?.contains("manifest.json") == true)
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
    }

    @Test func statusIsPrintedForPeople() async throws {
        let child = try AgentChild(directory: directory.path)
        try #require(await child.waitForListeners())
        let status = try #require(child.listeners["status"])
        let printed = try await AgentChild.run(["status", "--status-listen", status])
        #expect(printed.code == 0)
        #expect(printed.output.contains("host-1"))
        #expect(printed.output.contains("default/db: fresh"))
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
        let gone = try await AgentChild.run(["status", "--status-listen", status])
        #expect(gone.code == 1)
    }
}
