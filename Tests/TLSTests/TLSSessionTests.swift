import Glibc
import Support
import TLS
import Testing

@Suite struct TLSSessionTests {
    private func openPair() throws -> TLSPair {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.beta.credentials()
        )
        pair.run()
        return pair
    }

    @Test func mutualHandshakeNamesBothPeers() throws {
        let pair = try openPair()
        #expect(pair.client.status == .open)
        #expect(pair.server.status == .open)
        #expect(pair.client.peer?.name == "alpha")
        #expect(pair.server.peer?.name == "beta")
        #expect(pair.server.serverName == "alpha.default.svc.example.test")
        #expect(pair.client.version == "TLSv1.3")
        #expect(pair.client.applicationProtocol == nil)
    }

    @Test(arguments: [1, 3, 17, 1000])
    func handshakeAndDataSurviveAnySplit(_ size: Int) throws {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.beta.credentials()
        )
        pair.deliveryByteCountMax = size
        pair.run()
        let bytes = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        pair.clientSends(bytes)
        pair.serverSends(bytes.reversed())
        pair.run()
        #expect(pair.serverRead == bytes)
        #expect(pair.clientRead == bytes.reversed())
    }

    /// Whatever else uses OpenSSL on this thread may leave an error behind.
    @Test func anErrorThatSomebodyLeftEndsNoSession() throws {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.beta.credentials()
        )
        pair.deliveryByteCountMax = 100
        pair.beforeDelivery = leaveError
        pair.run()
        let bytes = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        pair.clientSends(bytes)
        pair.run()
        #expect(pair.serverRead == bytes)
        #expect(pair.server.status == .open)
        #expect(pair.client.status == .open)
    }

    /// Puts an error into OpenSSL's queue of this thread: a file that does not exist.
    private func leaveError() {
        typealias Open =
            @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> OpaquePointer?
        guard let symbol = dlsym(nil, "BIO_new_file") else {
            Issue.record("no OpenSSL in this process")
            return
        }
        _ = unsafeBitCast(symbol, to: Open.self)("/nonexistent", "r")
    }

    @Test func sixteenMebibytesEachWayAreExact() throws {
        let pair = try openPair()
        pair.deliveryByteCountMax = 60_013
        let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: ($0 &* 7919) >> 3) }
        var total = 0
        for round in 0..<16 {
            pair.serverRead = []
            pair.clientRead = []
            let part = Array(bytes[(round * 1000)...])
            pair.clientSends(part)
            pair.serverSends(part)
            pair.run()
            #expect(pair.serverRead == part)
            #expect(pair.clientRead == part)
            total += part.count
        }
        #expect(total > 16_000_000)
    }

    @Test func littlePlaintextRoomLosesNothing() throws {
        let pair = try openPair()
        pair.plaintextRoom = 100
        let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
        pair.clientSends(bytes)
        pair.run()
        #expect(pair.serverRead == bytes)
        #expect(!pair.server.hasPlaintext)
    }

    @Test func namedRoomTakesWholeReceivesAndSends() throws {
        let pair = try openPair()
        let bytes = [UInt8](repeating: 7, count: 64 * 1024)
        let sealed = pair.client.sealing(
            bytes,
            room: TLSLimits.ciphertextRoom(forPlaintext: bytes.count)
        )
        #expect(sealed.count > bytes.count)
        var read: [UInt8] = []
        var reply: [UInt8] = []
        // A first part of a record stays inside and must still fit later.
        let first = Array(sealed.prefix(16_000))
        let rest = Array(sealed.dropFirst(16_000))
        #expect(pair.server.take(first, read: &read, reply: &reply).consumedByteCount == 16_000)
        let room = TLSLimits.plaintextRoom(forCiphertext: rest.count)
        let progress = pair.server.take(rest, read: &read, reply: &reply, room: room)
        #expect(progress.consumedByteCount == rest.count)
        #expect(read == bytes)
        #expect(reply.isEmpty)
    }

    @Test func littleCiphertextRoomStillFinishesTheHandshake() throws {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.beta.credentials()
        )
        var hello = [UInt8](repeating: 0, count: 4096)
        var helloSpan = hello.mutableSpan
        let count = pair.client.start(ciphertext: &helloSpan).ciphertextByteCount
        var input = Array(hello.prefix(count))
        var flight: [UInt8] = []
        for _ in 0..<200 {
            var plaintext: [UInt8] = []
            var room = [UInt8](repeating: 0, count: 50)
            var plaintextSpan = plaintext.mutableSpan
            var span = room.mutableSpan
            let progress = pair.server.receive(
                input.span,
                plaintext: &plaintextSpan,
                ciphertext: &span
            )
            input.removeFirst(progress.consumedByteCount)
            flight += room.prefix(progress.ciphertextByteCount)
            if progress.ciphertextByteCount == 0 { break }
        }
        pair.toClient = flight
        pair.run()
        #expect(pair.client.status == .open)
        #expect(pair.server.status == .open)
    }

    @Test func eachDirectionClosesByItself() throws {
        for clientFirst in [true, false] {
            let pair = try openPair()
            let (near, far) = clientFirst ? (pair.client, pair.server) : (pair.server, pair.client)
            if clientFirst { pair.clientFinishes() } else { pair.serverFinishes() }
            pair.run()
            #expect(near.status == .open)
            #expect(near.isSendingFinished)
            #expect(far.status == .peerFinished)
            #expect(near.sealing([1, 2, 3]).isEmpty)
            if clientFirst { pair.serverSends([4, 5, 6]) } else { pair.clientSends([4, 5, 6]) }
            pair.run()
            #expect((clientFirst ? pair.clientRead : pair.serverRead) == [4, 5, 6])
            if clientFirst { pair.serverFinishes() } else { pair.clientFinishes() }
            pair.run()
            #expect(near.status == .peerFinished)
            #expect(near.receiveEnd() == .peerFinished)
            #expect(far.receiveEnd() == .peerFinished)
            #expect(near.failure == nil)
        }
    }

    @Test func bytesAfterCloseNotifyAreDropped() throws {
        let pair = try openPair()
        pair.clientFinishes()
        pair.toServer += [1, 2, 3, 4]
        pair.run()
        #expect(pair.toServer.isEmpty)
        #expect(pair.server.status == .peerFinished)
    }

    @Test func endWithoutCloseNotifyIsTruncation() throws {
        let pair = try openPair()
        pair.clientSends([1, 2, 3])
        pair.run()
        #expect(pair.server.receiveEnd() == .failed)
        #expect(pair.server.failure?.kind == .truncated)
        #expect(pair.serverRead == [1, 2, 3])
    }

    @Test func endDuringHandshakeIsItsOwnFailure() throws {
        let server = try TLSSession(server: try TLSContext(server: .test()))
        #expect(server.receiveEnd() == .failed)
        #expect(server.failure?.kind == .endedDuringHandshake)
        #expect(server.finishing().isEmpty)
    }

    @Test func alteredRecordEndsTheSession() throws {
        let pair = try openPair()
        pair.clientSends([1, 2, 3])
        pair.toServer[10] ^= 1
        pair.run()
        #expect(pair.server.status == .failed)
        #expect(pair.server.failure?.alert == .badRecordMAC)
        #expect(pair.serverRead.isEmpty)
        #expect(pair.client.failure?.kind == .peerAlert)
        #expect(pair.server.sealing([1]).isEmpty)
    }

    @Test func quietSessionGivesItsBuffersBackAndGoesOn() throws {
        let pair = try openPair()
        let sealed = pair.client.sealing([UInt8](repeating: 9, count: 5000))
        pair.toServer = Array(sealed.prefix(2000))
        pair.run()
        pair.server.releaseBuffers()
        pair.client.releaseBuffers()
        pair.toServer += sealed.dropFirst(2000)
        pair.run()
        pair.server.releaseBuffers()
        pair.serverSends([1])
        pair.run()
        #expect(pair.serverRead == [UInt8](repeating: 9, count: 5000))
        #expect(pair.clientRead == [1])
    }

    @Test func everyPrefixOfGarbageIsAnErrorAtMost() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let length = Int.random(in: 1...600, using: &generator)
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if Bool.random(using: &generator) { bytes.replaceSubrange(0..<1, with: [22, 3, 1]) }
            let server = try TLSSession(server: try TLSContext(server: .test()))
            var read: [UInt8] = []
            var reply: [UInt8] = []
            for byte in bytes where server.status == .handshaking {
                _ = server.take([byte], read: &read, reply: &reply)
            }
            #expect(server.status != .open)
            #expect(read.isEmpty)
            #expect(server.receiveEnd() == .failed)
        }
    }

    @Test func everyPrefixOfARealHandshakeIsNoSession() throws {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.beta.credentials()
        )
        var hello = [UInt8](repeating: 0, count: 4096)
        var span = hello.mutableSpan
        let count = pair.client.start(ciphertext: &span).ciphertextByteCount
        #expect(count > 100)
        let context = try TLSContext(server: .test())
        for length in stride(from: 0, to: count, by: 7) {
            let server = try TLSSession(server: context)
            var read: [UInt8] = []
            var reply: [UInt8] = []
            _ = server.take(Array(hello.prefix(length)), read: &read, reply: &reply)
            #expect(server.receiveEnd() == .failed)
            #expect(server.failure?.kind == .endedDuringHandshake)
        }
    }

    @Test func endlessHandshakeIsBounded() throws {
        let server = try TLSSession(server: try TLSContext(server: .test()))
        // One handshake message of 128 KiB that never ends, in full records.
        var read: [UInt8] = []
        var reply: [UInt8] = []
        let head: [UInt8] = [1, 1, 0xFF, 0xFF]
        for round in 0..<64 where server.status == .handshaking {
            let body = (round == 0 ? head : []) + [UInt8](repeating: 0, count: 8000)
            let record = [22, 3, 1, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
            _ = server.take(record, read: &read, reply: &reply)
        }
        #expect(server.status == .failed)
        #expect(server.handshakeByteCount <= TLSLimits.handshakeByteCountMax + 16_384)
    }
}
