import Foundation
import HTTP
import Support
import Testing

struct OversizedAndSlowRequestsTests {
    private func head(_ line: String, _ fields: String = "") -> String {
        "\(line)\r\nHost: localhost\r\n\(fields)\r\n"
    }

    private func text(_ count: Int) -> String { String(repeating: "a", count: count) }

    private func status(_ message: String) async throws -> String {
        let answer = try await RawConnection.exchange(message, with: try await SharedServer.get())
        #expect(answer.ended)
        #expect(answer.text.lowercased().contains("connection: close"))
        #expect(answer.text.statuses.count == 1)
        return answer.text.statuses.first ?? ""
    }

    @Test func aHugeTargetIs414() async throws {
        #expect(try await status(head("GET /\(text(9_000)) HTTP/1.1")) == "414")
    }

    @Test func aHugeHeadIs431() async throws {
        let line = "GET /livez HTTP/1.1"
        #expect(try await status(head(line, "X: \(text(9_000))\r\n")) == "431")
        let many = (0..<200).map { "X\($0): y\r\n" }.joined()
        #expect(try await status(head(line, many)) == "431")
        let block = (0..<5).map { "X\($0): \(text(4_000))\r\n" }.joined()
        #expect(try await status(head(line, block)) == "431")
    }

    @Test func aHugeBodyIs413() async throws {
        let line = "POST /v1/tokens HTTP/1.1"
        #expect(try await status(head(line, "Content-Length: 70000\r\n")) == "413")
        #expect(try await status(head(line, "Content-Length: 70000\r\n") + text(70_000)) == "413")
        let chunked = head(line, "Transfer-Encoding: chunked\r\n")
        #expect(try await status(chunked + "20000\r\n" + text(0x20000)) == "413")
        // A route that takes no body takes none at all.
        #expect(try await status(head("GET /livez HTTP/1.1", "Content-Length: 1\r\n")) == "413")
    }

    @Test func aTruncatedHeadOrBodyIsNoRequest() async throws {
        let server = try await SharedServer.get()
        let token = try await server.site.administratorToken(server)
        let body = "{}"
        let whole = head(
            "PUT /v1/services/default/truncated HTTP/1.1",
            "Authorization: Bearer \(token)\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count + 1)\r\n"
        )
        for cut in [10, whole.utf8.count - 2, whole.utf8.count, whole.utf8.count + 1] {
            let connection = try await RawConnection(to: server)
            await connection.send(String((whole + body).prefix(cut)))
            await connection.close()
        }
        #expect(try await server.send(.get, "/v1/services/default/truncated").status == 404)
        #expect(try await server.send(.get, "/livez").status == 200)
    }

    @Test func aSlowHeadIsEnded() async throws {
        let server = try await SharedServer.get()
        let connection = try await RawConnection(to: server)
        let start = ContinuousClock.now
        let drops = Task {
            // One byte each second keeps no head alive.
            for byte in head("GET /livez HTTP/1.1", "X: \(text(60))\r\n") {
                guard await connection.send(String(byte)) else { return }
                try await Task.sleep(for: .seconds(1))
            }
        }
        let answer = await connection.receiveAll()
        drops.cancel()
        #expect(answer.ended)
        #expect(answer.text.statuses == ["408"], "\(answer.text)")
        #expect(ContinuousClock.now - start < .seconds(20))
        await connection.close()
    }

    @Test func aSlowBodyIsEnded() async throws {
        let server = try await SharedServer.get()
        let connection = try await RawConnection(to: server)
        await connection.send(head("POST /v1/tokens HTTP/1.1", "Content-Length: 1000\r\n"))
        let drops = Task {
            while await connection.send("a") { try await Task.sleep(for: .milliseconds(500)) }
        }
        let answer = await connection.receiveAll()
        drops.cancel()
        #expect(answer.ended)
        #expect(answer.text.statuses == ["408"], "\(answer.text)")
        await connection.close()
    }
}
