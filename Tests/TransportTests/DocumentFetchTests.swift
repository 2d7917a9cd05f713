import Foundation
import Reactor
import Support
import Synchronization
import Testing
import Transport
import Wire

@Suite(.timeLimit(.minutes(1))) struct DocumentFetchTests {
    private static let limit = 1_000

    private func fetch(
        _ address: String,
        roots: String = TestCertificates.root.chainPEM,
        admits: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) async throws -> DocumentFetch.Answer {
        let reactor = try TestReactor()
        let resolver = try WorkerPool(name: "resolver", threadCount: 1)
        defer { resolver.stop() }
        let fetch = DocumentFetch(
            rootsPEM: Array(roots.utf8),
            byteCountMax: Self.limit,
            admits: admits,
            clock: { Timestamp(secondsSinceEpoch: Int64(Date().timeIntervalSince1970)) }
        )
        let address = try #require(DocumentAddress(address))
        return try await fetch.get(address, on: reactor.reactor, resolver: resolver)
    }

    private func refusal(
        _ address: String,
        roots: String = TestCertificates.root.chainPEM,
        admits: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) async throws -> DocumentFetchError? {
        do {
            _ = try await fetch(address, roots: roots, admits: admits)
            return nil
        } catch let error as DocumentFetchError {
            return error
        }
    }

    @Test func fetchesWithTheServerVerified() async throws {
        let server = try KeyServer("{}")
        server.state.withLock { $0.fields = [("cache-control", "public, max-age=90")] }
        let address = try await server.start()
        let answer = try await fetch(address)
        #expect(answer.body == Array("{}".utf8))
        #expect(answer.maxAge == .seconds(90))
        // Another root, none at all, and a name that the certificate does not have.
        let stranger = TestCertificates.impostor.chainPEM
        let unverified = try await refusal(address, roots: stranger)
        #expect(unverified != nil)
        #expect(try await refusal(address, roots: "") == .noRoots)
        let byName = address.replacingOccurrences(of: "localhost", with: "[::ffff:127.0.0.1]")
        #expect(try await refusal(byName) != nil)
        await server.stop()
    }

    @Test func followsNoRedirectAndReadsNoMoreThanItsLimit() async throws {
        let server = try KeyServer("")
        let address = try await server.start()
        server.state.withLock {
            $0.status = 302
            $0.fields = [("location", address)]
        }
        #expect(try await refusal(address) == .status(302))
        #expect(server.requests == 1)
        server.state.withLock {
            $0.status = 200
            $0.text = String(repeating: "x", count: Self.limit)
        }
        #expect(try await fetch(address).body.count == Self.limit)
        server.state.withLock { $0.text += "x" }
        guard case .failed = try await refusal(address) else {
            Issue.record("read beyond its limit")
            return
        }
        await server.stop()
    }

    @Test func asksOnlyAddressesThatAreAdmitted() async throws {
        let server = try KeyServer("{}")
        let address = try await server.start()
        guard case .noAddress = try await refusal(address, admits: { _ in false }) else {
            Issue.record("asked")
            return
        }
        #expect(server.requests == 0)
        await server.stop()
    }

    @Test(arguments: [
        "", "https://", "http://id.example/keys", "HTTPS://id.example/", "https://user@id.example/",
        "https:///keys", "https://id.example/#x", "https://id.example:99999/", "id.example/keys",
        "https://id example/", "file:///etc/passwd",
    ])
    func refusesOtherAddresses(text: String) {
        #expect(DocumentAddress(text) == nil)
    }

    @Test func takesAddressesApart() throws {
        let plain = try #require(DocumentAddress("https://ID.example"))
        #expect(plain.host == "id.example" && plain.port == 443)
        let whole = try #require(DocumentAddress("https://[::1]:8443/a/b?c=d"))
        #expect(whole.host == "::1" && whole.port == 8443)
        #expect(whole.description == "https://[::1]:8443/a/b?c=d")
    }
}
