import HTTP
import Testing

@testable import turnpike_fuzz

/// Pieces that requests and attacks on them are made of.
private let fragments = [
    "GET / HTTP/1.1\r\n", "POST /a?b=c HTTP/1.1\r\n", "Host: h\r\n", "\r\n", "\n", "\r", "\u{0}",
    "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n", "0\r\n", "hello", "5;a=b\r\n", "ffffffffffffffff\r\n", " ", "\t", ":", "chunked",
    "Expect: 100-continue\r\n", "Connection: close\r\n", "HTTP/1.0\r\n", "X-A: b\r\n c\r\n",
    "Upgrade: h2c\r\n",
    "GET http://h/ HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "%2e%2e/", "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 204 No Content\r\n",
]

private let corpus = [
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
]

private func wire(_ random: inout SeededGenerator) -> [UInt8] {
    if Bool.random(using: &random) {
        return (0..<Int.random(in: 1...12, using: &random)).flatMap { _ in
            Array((fragments.randomElement(using: &random) ?? "").utf8)
        }
    }
    var bytes = Array((corpus.randomElement(using: &random) ?? "").utf8)
    for _ in 0..<Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 2: if bytes.count > 1 { bytes.remove(at: place) }
        default:
            bytes.insert(
                contentsOf: (fragments.randomElement(using: &random) ?? "").utf8,
                at: place
            )
        }
    }
    return bytes
}

private let rounds = 4000

@Suite struct HTTPFuzzTests {
    @Test(arguments: ["http_request", "http_response"], [1, 2, 3, 4] as [UInt64])
    func messagesReadAlikeInAnyPiecesAndAcceptanceSurvivesSerialisation(
        _ name: String,
        _ seed: UInt64
    ) throws {
        let target = try #require(FuzzTarget.named(name))
        var random = SeededGenerator(state: seed)
        for round in 0..<rounds {
            var bytes = wire(&random)
            if name == "http_response", Bool.random(using: &random) {
                bytes = Array("HTTP/1.1 200 OK\r\n".utf8) + bytes
            }
            #expect(target.fault(bytes) == nil, "seed \(seed) round \(round)")
        }
    }

    @Test(arguments: [21, 22, 23] as [UInt64])
    func serverMachineStaysBoundedWhateverHappens(_ seed: UInt64) {
        var random = SeededGenerator(state: seed)
        for _ in 0..<(rounds / 8) {
            var now = ContinuousClock.now
            var machine = ServerConnectionMachine(now: now)
            var isOver = false
            for _ in 0..<40 where !isOver {
                now += .milliseconds(Int.random(in: 0...3000, using: &random))
                let actions = step(&machine, now, &random)
                let lasts: [ServerConnectionMachine.Action] = [.close, .abort]
                isOver = actions.contains { lasts.contains($0) }
                if isOver {
                    #expect(machine.isClosed == true, "seed \(seed)")
                    #expect(lasts.contains(actions[actions.count - 1]), "seed \(seed)")
                }
                #expect(machine.unsentByteCount < 1 << 20, "seed \(seed)")
            }
        }
    }

    private func step(
        _ machine: inout ServerConnectionMachine,
        _ now: ContinuousClock.Instant,
        _ random: inout SeededGenerator
    ) -> [ServerConnectionMachine.Action] {
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5: return machine.received(wire(&random).span, now: now)
        case 5:
            return (try? machine.respond(ResponseHead(status: .ok), body: [65, 66], now: now)) ?? []
        case 6:
            return
                (try? machine.respond(ResponseHead(status: .ok), framing: .chunked, now: now))
                ?? []
        case 7: return (try? machine.respondBody([65], now: now)) ?? []
        case 8: return (try? machine.respondEnd(now: now)) ?? []
        case 9:
            machine.written(byteCount: Int.random(in: 0...500, using: &random), now: now)
            return machine.consumed(byteCount: 100, now: now)
        case 10: return machine.timerFired(now: now)
        default:
            return Int.random(in: 0..<10, using: &random) == 0
                ? machine.peerClosed(now: now) : machine.bodyWanted(now: now)
        }
    }

    @Test(arguments: [31, 32] as [UInt64])
    func routerAndQueryNeverLetSeparatorsThrough(_ seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        var router = Router<Int>()
        try router.add(.get, "/v1/{a}/x/{b...}", 1)
        try router.add(.get, "/v1/{a}/{b}", 2)
        let parts = [
            "/", "v1", "x", "%2F", "%2f", "%5C", "%00", ".", "..", "%2e", "a", "%", "%zz", "%C3%A4",
            "*", "%0A",
        ]
        for _ in 0..<rounds {
            let path = (0..<Int.random(in: 1...9, using: &random))
                .map { _ in parts.randomElement(using: &random) ?? "" }.joined()
            if case .found(_, let template, let captures) = router.match(.get, path: "/v1" + path) {
                #expect(captures.all.count == template.captureNames.count)
                for capture in captures.all {
                    let isClean =
                        !capture.value.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "\\") }
                        && !capture.value.split(separator: "/").contains { $0 == ".." || $0 == "." }
                    #expect(isClean && !capture.value.isEmpty, "seed \(seed) path \(path)")
                }
                #expect(captures["a"]?.contains("/") == false)
            }
            if let query = try? QueryParameters(path) {
                #expect(!query.all.contains { $0.value.utf8.contains { $0 < 0x20 } })
            }
        }
    }
}
