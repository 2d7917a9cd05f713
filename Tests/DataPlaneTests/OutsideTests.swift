import Crypto
import DataPlane
import Foundation
import Glibc
import Mesh
import Snapshot
import Support
import Testing
import Wire

extension MeshPair {
    /// Makes the destination's agent reach `db` outside of the mesh.
    func reachOutside(
        _ host: String = "127.0.0.1",
        port: UInt16,
        security: ExternalTarget.Security,
        negotiation: ExternalTarget.Negotiation = .direct,
        revision: UInt64 = 1,
        allowsLocal: Bool = true,
        verdict: Verdict = .allow
    ) async throws {
        let agent = destination.name
        let snapshot = try mesh.snapshot(
            for: agent,
            revision: revision,
            [
                .hosted(
                    HostedSection(
                        agent: agent,
                        services: [
                            HostedService(
                                service: database,
                                instances: [],
                                external: ExternalTarget(
                                    service: database,
                                    agent: agent,
                                    host: try OutsideHost(host),
                                    port: port,
                                    security: security,
                                    negotiation: negotiation,
                                    allowsLocal: allowsLocal
                                )
                            )
                        ]
                    )
                ),
                .inbound(
                    InboundSection(
                        service: database,
                        applicationProtocol: .tcp,
                        leafLifetime: .seconds(3_600),
                        trustDomain: mesh.trustDomain,
                        rules: [TestMesh.rule(verdict, from: "default/web", to: database)]
                    )
                ),
            ]
        ).snapshot
        await destination.plane.apply(
            try configuration(snapshot, leaves: [database: try mesh.leaf(of: database)])
        )
    }

    /// Sends some bytes through the upstream port and gives what comes back.
    func exchange(_ bytes: [UInt8]) async -> [UInt8] {
        let port = upstreamPort
        return await onThread {
            guard let socket = LoopbackSocket.connect(port: port) else { return [] }
            // Its end comes later: the owner of a socket that has ended is not looked for.
            inBackground { socket.send(bytes) }
            defer { socket.finishSending() }
            return socket.receive(exactly: bytes.count)
        }
    }
}

/// Services that no agent hosts: what the egress agent believes outside, and what it refuses.
@Suite(.serialized, .timeLimit(.minutes(2))) struct OutsideTests {
    private let name = "db.example.com"

    private func verified(
        _ authority: OutsideAuthority,
        _ name: String = "db.example.com"
    ) throws -> ExternalTarget.Security {
        .verified(serverName: try OutsideHost(name), authorities: [authority.certificate])
    }

    @Test func bytesGoOutInVerifiedTLSAndComeBackUnchanged() async throws {
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let server = try OutsideServer(authority.leaf([.dns(name)]))
        try await pair.reachOutside(port: server.port, security: try verified(authority))
        try await pair.connect()
        let sent = pattern(1_000_000)
        let result = await pair.exchange(sent)
        let isUnchanged = result == sent
        #expect(isUnchanged)
        #expect(pair.destination.takeDecisions().isEmpty)
        server.stop()
        await pair.stop()
    }

    @Test func bothEndsOfAConversationArePassedOn() async throws {
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let server = try OutsideServer(authority.leaf([.dns(name)]), greeting: Array("220 ".utf8))
        try await pair.reachOutside(port: server.port, security: try verified(authority))
        try await pair.connect()
        let port = pair.upstreamPort
        let result = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let socket = LoopbackSocket.connect(port: port) else { return nil }
            // A server that speaks first is heard before anything was said.
            guard socket.receive(exactly: 4) == Array("220 ".utf8) else { return nil }
            socket.send([1, 2, 3])
            socket.finishSending()
            return socket.receiveAll()
        }
        #expect(result?.bytes == [1, 2, 3])
        #expect(result?.end == .ended)
        server.stop()
        await pair.stop()
    }

    @Test func tls12IsSpokenWithThoseThatHaveNothingNewer() async throws {
        let pair = try await MeshPair()
        let server = try #require(LineReverser(["-tls1_2"]))
        let root = try #require(
            try PEM.decode(TestCertificates.root.chainPEM).first?.bytes
        )
        try await pair.reachOutside(
            port: server.port,
            security: .verified(serverName: try OutsideHost("127.0.0.1"), authorities: [root])
        )
        try await pair.connect()
        let port = pair.upstreamPort
        let answer = await onThread { () -> [UInt8] in
            guard let socket = LoopbackSocket.connect(port: port) else { return [] }
            socket.send(Array("abc\n".utf8))
            return socket.receive(exactly: 4)
        }
        #expect(String(decoding: answer, as: UTF8.self) == "cba\n")
        server.stop()
        await pair.stop()
    }

    @Test func tls11IsRefused() async throws {
        let pair = try await MeshPair()
        let server = try #require(LineReverser(["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]))
        let root = try #require(
            try PEM.decode(TestCertificates.root.chainPEM).first?.bytes
        )
        try await pair.reachOutside(
            port: server.port,
            security: .verified(serverName: try OutsideHost("127.0.0.1"), authorities: [root])
        )
        try await pair.connect()
        #expect(await pair.exchange([7]).isEmpty)
        #expect(try await pair.destination.decision(.outsideTLSFailed) != nil)
        server.stop()
        await pair.stop()
    }

    /// What the server shows, what is declared, and why that is refused.
    private func expectRefusal(
        _ reason: DecisionReason,
        names: [GeneralName]? = nil,
        declared: String = "db.example.com",
        lifeLeft: Duration = .seconds(3_600),
        isForeign: Bool = false
    ) async throws {
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let other = try OutsideAuthority(now: pair.clock.now)
        let leaf = try (isForeign ? other : authority).leaf(
            names ?? [.dns(name)],
            notAfter: pair.clock.now + lifeLeft
        )
        let server = try OutsideServer(leaf)
        try await pair.reachOutside(
            port: server.port,
            security: try verified(authority, declared)
        )
        try await pair.connect()
        #expect(await pair.exchange([1, 2, 3]).isEmpty)
        let decision = try await pair.destination.decision(reason)
        #expect(decision?.destination == pair.database)
        #expect(decision?.source?.description.hasSuffix("/svc/web") == true)
        server.stop()
        await pair.stop()
    }

    @Test func anotherNameIsRefused() async throws {
        try await expectRefusal(.outsideNameMismatch, names: [.dns("other.example.com")])
    }

    @Test func anAddressIsVerifiedAsAnAddress() async throws {
        try await expectRefusal(.outsideNameMismatch, declared: "127.0.0.1")
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let server = try OutsideServer(authority.leaf([.ip([127, 0, 0, 1])]))
        try await pair.reachOutside(
            port: server.port,
            security: try verified(authority, "127.0.0.1")
        )
        try await pair.connect()
        #expect(await pair.exchange([4, 5]) == [4, 5])
        server.stop()
        await pair.stop()
    }

    @Test func anotherAuthorityIsRefusedEvenOfTheSameName() async throws {
        try await expectRefusal(.outsideUntrusted, isForeign: true)
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        try await expectRefusal(.outsideUntrusted, lifeLeft: .seconds(-60))
    }

    @Test func plainSpeechIsNeverTakenForTLS() async throws {
        let heard = HeardBytes()
        let pair = try await MeshPair(serve: { connection in
            heard.add(connection.receive().bytes)
            connection.send(Array("220 plain\r\n".utf8))
            _ = connection.receive()
        })
        let authority = try OutsideAuthority(now: pair.clock.now)
        try await pair.reachOutside(port: pair.origin.port, security: try verified(authority))
        try await pair.connect()
        let secret = Array("secret secret secret".utf8)
        #expect(await pair.exchange(secret).isEmpty)
        #expect(try await pair.destination.decision(.outsideTLSFailed) != nil)
        // Not a byte of the application went out in plain.
        #expect(!heard.contains(secret))
        #expect(heard.count > 0)
        await pair.stop()
    }

    /// A server without TLS, or one on the way that slips bytes in before it.
    @Test(arguments: ["N", "SE", "E"])
    func onlyACleanYesBeginsTLSAfterARequest(answer: String) async throws {
        let heard = HeardBytes()
        let pair = try await MeshPair(serve: { connection in
            heard.add(connection.receive(exactly: 8))
            connection.send(Array(answer.utf8))
            heard.add(connection.receiveAll().bytes)
        })
        let authority = try OutsideAuthority(now: pair.clock.now)
        try await pair.reachOutside(
            port: pair.origin.port,
            security: try verified(authority),
            negotiation: .postgresql
        )
        try await pair.connect()
        #expect(await pair.exchange([1, 2, 3]).isEmpty)
        #expect(try await pair.destination.decision(.outsideTLSFailed) != nil)
        // The request, and nothing after it.
        #expect(heard.count == 8)
        await pair.stop()
    }

    /// The host's own address outside of loopback, if it has one; the kernel keeps it on the host.
    @Test(.enabled(if: OwnAddress.exists, "the host has no address but loopback"))
    func anotherAddressOfTheHostIsRefusedToo() async throws {
        let (address, listener) = try #require(OwnAddress.listen())
        let pair = try await MeshPair()
        try await pair.reachOutside(
            address,
            port: listener.port,
            security: .plain,
            allowsLocal: false
        )
        // As if it had come to the host after its addresses were read.
        await pair.destination.plane.apply(OutsideAddresses(own: []))
        try await pair.connect()
        #expect(await pair.exchange([1]).isEmpty)
        #expect(try await pair.destination.decision(.outsideAddressRefused) != nil)
        listener.stop()
        await pair.stop()
    }

    @Test func whatComesWithTheHandshakeWaitsForTheProof() async throws {
        let heard = HeardBytes()
        let pair = try await MeshPair(serve: { connection in
            heard.add(connection.receive().bytes)
            connection.send(Array("220 plain\r\n".utf8))
        })
        let authority = try OutsideAuthority(now: pair.clock.now)
        try await pair.reachOutside(port: pair.origin.port, security: try verified(authority))
        let name = "\(pair.database.name.text).default.svc.\(pair.mesh.trustDomain.text)"
        let secret = Array("said too early".utf8)
        let leaf = try pair.mesh.leaf(of: pair.web)
        let meshPort = pair.destination.port
        let outcome = try await onThread {
            Result {
                try MeshProbe.run(port: meshPort, serverName: name, leaf: leaf, saying: secret)
            }
        }.get()
        #expect(outcome != .answered(secret))
        #expect(try await pair.destination.decision(.outsideTLSFailed) != nil)
        #expect(heard.count > 0)
        #expect(!heard.contains(secret))
        await pair.stop()
    }

    @Test func aServerThatStaysSilentIsGivenUp() async throws {
        let pair = try await MeshPair(
            settings: { $0.handshakeTimeout = .milliseconds(500) },
            serve: { connection in _ = connection.receiveAll() }
        )
        let authority = try OutsideAuthority(now: pair.clock.now)
        try await pair.reachOutside(port: pair.origin.port, security: try verified(authority))
        try await pair.connect()
        #expect(await pair.exchange([1]).isEmpty)
        #expect(try await pair.destination.decision(.handshakeTimeout) != nil)
        await pair.stop()
    }

    @Test func plainTCPIsSpokenWhereThatIsWrittenOut() async throws {
        let pair = try await MeshPair()
        try await pair.reachOutside(port: pair.origin.port, security: .plain)
        try await pair.connect()
        #expect(await pair.exchange([9, 8, 7]) == [9, 8, 7])
        await pair.stop()
    }

    @Test func anIntentionDecidesAndItsEndCuts() async throws {
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let server = try OutsideServer(authority.leaf([.dns(name)]))
        let security = try verified(authority)
        try await pair.reachOutside(port: server.port, security: security)
        try await pair.connect()
        let port = pair.upstreamPort
        let socket = try #require(
            await onThread { () -> LoopbackSocket? in
                guard let socket = LoopbackSocket.connect(port: port), socket.send([7]),
                    socket.receive(exactly: 1) == [7]
                else { return nil }
                return socket
            }
        )
        try await pair.reachOutside(
            port: server.port,
            security: security,
            revision: 2,
            verdict: .deny
        )
        #expect(await onThread { socket.receive().end } != .open)
        #expect(try await pair.destination.decision(.policyChanged) != nil)
        #expect(await pair.exchange([1]).isEmpty)
        #expect(try await pair.destination.decision(.deniedByIntention) != nil)
        server.stop()
        await pair.stop()
    }

    @Test func aConnectionEndsWithTheTargetThatItWasMadeUnder() async throws {
        let pair = try await MeshPair()
        let authority = try OutsideAuthority(now: pair.clock.now)
        let server = try OutsideServer(authority.leaf([.dns(name)]))
        let security = try verified(authority)
        try await pair.reachOutside(port: server.port, security: security)
        try await pair.connect()
        let port = pair.upstreamPort
        let socket = try #require(
            await onThread { () -> LoopbackSocket? in
                guard let socket = LoopbackSocket.connect(port: port), socket.send([7]),
                    socket.receive(exactly: 1) == [7]
                else { return nil }
                return socket
            }
        )
        // The same target under another revision leaves it alone.
        try await pair.reachOutside(port: server.port, security: security, revision: 2)
        let goesOn = await onThread { socket.send([8]) && socket.receive(exactly: 1) == [8] }
        #expect(goesOn)
        let other = try OutsideAuthority(now: pair.clock.now)
        try await pair.reachOutside(port: server.port, security: try verified(other), revision: 3)
        #expect(await onThread { socket.receive().end } != .open)
        #expect(try await pair.destination.decision(.policyChanged) != nil)
        server.stop()
        await pair.stop()
    }

    @Test func namesLeadOnlyWhereTheTargetMayGo() async throws {
        let pair = try await MeshPair(settings: { $0.connectTimeout = .milliseconds(500) })
        try await pair.reachOutside(
            "db.example.com",
            port: pair.origin.port,
            security: .plain,
            allowsLocal: false
        )
        try await pair.connect()
        let name = try HostName("db.example.com")
        // Nobody has answered yet: the connection waits, then ends.
        #expect(await pair.exchange([1]).isEmpty)
        #expect(try await pair.destination.decision(.outsideUnresolved) != nil)
        // A name that leads back to the host is the attack itself.
        await pair.destination.plane.apply(
            OutsideAddresses(
                byName: [name: [.loopback, try IPAddress("169.254.169.254")]],
                own: []
            )
        )
        #expect(await pair.exchange([1]).isEmpty)
        #expect(try await pair.destination.decision(.outsideAddressRefused) != nil)
        // So is one to any other address of the host: nobody even tries to connect.
        let own = try IPAddress("192.0.2.7")
        await pair.destination.plane.apply(
            OutsideAddresses(byName: [name: [own]], own: [.loopback, own])
        )
        #expect(await pair.exchange([1]).isEmpty)
        #expect(pair.destination.takeDecisions().map(\.ruling.reason) == [.outsideAddressRefused])
        await pair.stop()
    }

    @Test func aConnectThatHangsIsLeftAloneWhenAnotherNameIsFound() async throws {
        let server = try #require(OwnAddress.busy())
        let pair = try await MeshPair()
        try await pair.reachOutside("db.example.com", port: server.port, security: .plain)
        try await pair.connect()
        let (name, other) = (try HostName("db.example.com"), try HostName("api.example.com"))
        async let answer = pair.exchange([5, 6])
        try await Task.sleep(for: .milliseconds(200))
        var addresses = OutsideAddresses(byName: [name: [.loopback]])
        await pair.destination.plane.apply(addresses)
        addresses.byName[other] = []
        await pair.destination.plane.apply(addresses)
        // From now on there is room for it; the kernel asks again after a second.
        server.echo(2)
        #expect(await answer == [5, 6])
        #expect(pair.destination.takeDecisions().isEmpty)
        server.stop()
        await pair.stop()
    }

    @Test func aConnectionWaitsForTheFirstAnswerAboutItsName() async throws {
        let pair = try await MeshPair()
        try await pair.reachOutside("db.example.com", port: pair.origin.port, security: .plain)
        try await pair.connect()
        let name = try HostName("db.example.com")
        async let answer = pair.exchange([5, 6])
        try await Task.sleep(for: .milliseconds(200))
        await pair.destination.plane.apply(OutsideAddresses(byName: [name: [.loopback]]))
        #expect(await answer == [5, 6])
        await pair.stop()
    }
}

/// What a server of a test heard.
private final class HeardBytes: @unchecked Sendable {
    private let lock = NSLock()
    private var bytes: [UInt8] = []

    func add(_ more: [UInt8]) { lock.withLock { bytes += more } }

    var count: Int { lock.withLock { bytes.count } }

    func contains(_ part: [UInt8]) -> Bool {
        lock.withLock { bytes.firstRange(of: part) != nil }
    }
}

/// A socket on an address of the host that is not loopback.
private final class OwnAddress: @unchecked Sendable {
    let port: UInt16
    private let number: Int32
    private var filler: LoopbackSocket?

    private init(number: Int32, port: UInt16) {
        self.number = number
        self.port = port
    }

    /// Whether the host has an address besides loopback.
    static var exists: Bool {
        let found = listen()
        found?.listener.stop()
        return found != nil
    }

    static func listen() -> (address: String, listener: OwnAddress)? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let generic = entry.ifa_addr, generic.pointee.sa_family == UInt16(AF_INET),
                entry.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            let own = generic.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
            let word = UInt32(bigEndian: own.sin_addr.s_addr)
            guard word >> 16 != 0xA9FE, let listener = bound(to: own) else { continue }
            let parts = [word >> 24, word >> 16 & 255, word >> 8 & 255, word & 255]
            return (parts.map(String.init).joined(separator: "."), listener)
        }
        return nil
    }

    /// A listener on loopback that has no room for one connection more.
    static func busy() -> OwnAddress? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        guard let own = bound(to: address, backlog: 0),
            let filler = LoopbackSocket.connect(port: own.port)
        else { return nil }
        own.filler = filler
        return own
    }

    /// Lets the next in, and sends back what the one after it says.
    func echo(_ count: Int) {
        inBackground { [self] in
            close(accept(number, nil, nil))
            let next = accept(number, nil, nil)
            var bytes = [UInt8](repeating: 0, count: count)
            if recv(next, &bytes, count, Int32(MSG_WAITALL)) == count {
                send(next, bytes, count, Int32(MSG_NOSIGNAL))
            }
            close(next)
        }
    }

    private static func bound(to address: sockaddr_in, backlog: Int32 = 4) -> OwnAddress? {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = address
        address.sin_port = 0
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, length) == 0 && Glibc.listen(number, backlog) == 0
                    && getsockname(number, $0, &length) == 0
            }
        }
        guard isBound else {
            close(number)
            return nil
        }
        return OwnAddress(number: number, port: UInt16(bigEndian: address.sin_port))
    }

    func stop() { close(number) }
}

/// An `openssl s_server` with the certificate of 127.0.0.1, which sends each line back reversed.
private final class LineReverser {
    let port = LoopbackSocket.freePort()
    private let command: OpenSSLCommand

    init?(_ arguments: [String]) {
        guard
            let command = OpenSSLCommand(
                [
                    "s_server", "-accept", "127.0.0.1:\(port)", "-rev", "-naccept", "1", "-cert",
                    TestCertificates.web.chainPath, "-key", TestCertificates.web.privateKeyPath,
                ] + arguments
            )
        else { return nil }
        self.command = command
        for _ in 0..<200 where !Self.isListening(port) { usleep(20_000) }
    }

    /// Looks at the kernel's table: a connection would be the one that the server accepts.
    private static func isListening(_ port: UInt16) -> Bool {
        let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .ascii)) ?? ""
        let mark = ":" + String(format: "%04X", port) + " 00000000:0000 0A"
        return table.contains(mark)
    }

    func stop() { command.stop() }
}
