import Foundation
import Support
import Testing

/// The client that people have: hvac from the package index, unmodified, against a real server.
struct VaultClientTests {
    private static let python = ProcessInfo.processInfo.environment["TURNPIKE_TEST_PYTHON"]

    @Test(
        .enabled(
            if: python != nil,
            "TURNPIKE_TEST_PYTHON names no Python with hvac: deploy/install-prerequisites makes one"
        )
    )
    func hvacIsContent() async throws {
        let server = try await SharedServer.get()
        let program = try #require(Self.python)
        let script = Repository.top.appending(path: "Tests/Acceptance/hvac_calls.py").path
        let cluster = try await TestCluster.shared
        try await cluster.administer(
            "CREATE ROLE hvac_second LOGIN SUPERUSER; CREATE ROLE hvac_readers NOLOGIN; GRANT CONNECT ON DATABASE postgres TO hvac_readers"
        )
        let end = try await ProgramChild.run(
            program,
            [
                "-W", "ignore", script, "https://\(try server.api.address)",
                server.site.authorityFile, cluster.socketDirectory,
                "\(cluster.binaryDirectory)/psql",
            ],
            input: try await server.site.administratorToken(server)
        )
        #expect(end.code == 0, "\(end.errors)")
        #expect(end.output == "hvac is content\n")
    }
}
