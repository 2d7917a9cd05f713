import Foundation
import Support
import Testing

/// `turnpike-server snapshot sign` and two real agents that serve from what it wrote.
@Suite struct SignedDirectoryTests {
    private static func mesh(
        meshPort: UInt16,
        instancePort: UInt16,
        allowedPort: UInt16,
        deniedPort: UInt16
    ) -> String {
        """
        kind: agent
        name: host-a
        ---
        kind: agent
        name: host-b
        mesh_address: 127.0.0.1:\(meshPort)
        ---
        kind: service
        name: web
        placements: ["host-a"]
        upstreams:
          - {"agent": "host-a", "destination": "db", "port": \(allowedPort), "uids": "any"}
        ---
        kind: service
        name: reports
        placements: ["host-a"]
        upstreams:
          - {"agent": "host-a", "destination": "db", "port": \(deniedPort), "uids": "any"}
        ---
        kind: service
        name: db
        placements: ["host-b"]
        health_check: {"type": "none"}
        instances:
          - {"agent": "host-b", "port": \(instancePort)}
        intentions:
          - {"source": "web", "action": "allow"}
        """
    }

    @Test(.timeLimit(.minutes(10)))
    func twoAgentsRelayTheAllowedPairAndRefuseTheDenied() async throws {
        let scratch = try ScratchDirectory("signed")
        let folder = scratch.path
        let backend = LoopbackSocket.listen()
        let (mesh, allowed, denied) = (
            LoopbackSocket.freePort(), LoopbackSocket.freePort(), LoopbackSocket.freePort()
        )
        try Self.mesh(
            meshPort: mesh,
            instancePort: backend.port,
            allowedPort: allowed,
            deniedPort: denied
        ).write(toFile: folder + "/mesh.yaml", atomically: true, encoding: .utf8)
        let signing = try await ProgramChild.run(
            TestProgram.server.path,
            ["snapshot", "sign", "-f", folder + "/mesh.yaml", "--out", folder]
        )
        try #require(signing.code == 0, "\(signing.errors)")
        let server = try AgentChild(
            directory: folder + "/host-b",
            ["--mesh-listen", "127.0.0.1:\(mesh)"]
        )
        let client = try AgentChild(directory: folder + "/host-a")
        try #require(await server.waitForListeners(), "\(server.log)")
        try #require(await client.waitForListeners(), "\(client.log)")

        let relayed = await onThread { () -> (there: [UInt8], back: [UInt8])? in
            guard let program = LoopbackSocket.connect(port: allowed) else { return nil }
            let question = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
            inBackground { program.send(question) }
            guard let instance = backend.accept() else { return nil }
            let there = instance.receive(exactly: question.count)
            instance.send(Array(there.reversed()))
            instance.finishSending()
            return (there, program.receiveAll().bytes)
        }
        let (there, back) = try #require(relayed)
        #expect(there == (0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
        #expect(back == there.reversed())

        let refused = await onThread { () -> [UInt8]? in
            guard let program = LoopbackSocket.connect(port: denied) else { return nil }
            program.send([1, 2, 3])
            let answer = program.receiveAll()
            return answer.end == .timedOut ? nil : answer.bytes
        }
        #expect(refused == [])
        // Whoever was let in would stand in the instance's queue: the next one must be our own.
        let next = await onThread { () -> [UInt8] in
            guard let program = LoopbackSocket.connect(port: backend.port) else { return [] }
            program.send([9])
            return backend.accept()?.receive(exactly: 1) ?? []
        }
        #expect(next == [9])
        for agent in [client, server] {
            agent.signal(SIGTERM)
            #expect(await agent.wait() == 0)
        }
    }
}
