import Reactor
import Testing

@Suite struct DescriptorPassingTests {
    @Test func aSocketThatIsPassedIsTheSameSocket() throws {
        let pair = try Socket.pair()
        let listener = try Socket.listen(on: .loopback())
        let address = try listener.localAddress()
        let sent = PassedDescriptors()
        sent.append(try listener.duplicate())
        try sent.send(with: [1, 2, 3], over: pair.first, timeout: .seconds(1))
        #expect(sent.count == 0)
        let received = PassedDescriptors()
        let bytes = try received.receive(
            byteCountMax: 16,
            over: pair.second,
            timeout: .seconds(1)
        )
        #expect(bytes == [1, 2, 3])
        #expect(received.count == 1)
        let passed = received.takeFirst()
        #expect(try passed.localAddress() == address)
        #expect(received.takeFirst().isOpen == false)
    }

    @Test func nothingComesForEverOrAfterTheEnd() throws {
        var pair = try Socket.pair()
        let error = #expect(throws: SystemError.self) {
            try PassedDescriptors().receive(
                byteCountMax: 1,
                over: pair.second,
                timeout: .milliseconds(20)
            )
        }
        #expect(error?.isTimeout == true)
        pair.first.close()
        let end = try PassedDescriptors().receive(
            byteCountMax: 1,
            over: pair.second,
            timeout: .seconds(1)
        )
        #expect(end.isEmpty)
    }
}
