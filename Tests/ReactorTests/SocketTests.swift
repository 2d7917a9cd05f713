import Testing

@testable import Reactor

struct SocketTests {
    /// Runs a reactor for a moment: long enough for what must not happen to be seen.
    private func settle(_ reactor: Reactor) {
        reactor.schedule(after: .milliseconds(30)) { $0.stop() }
        reactor.run()
    }

    /// Runs a reactor until something is true, or for too long.
    ///
    /// A child that another test forks holds our sockets open until it runs its program, so a close
    /// may reach the peer later than it was made.
    private func settle(_ reactor: Reactor, until isDone: () -> Bool) {
        for _ in 0..<4_000 {
            if isDone() { return }
            reactor.schedule(after: .milliseconds(5)) { $0.stop() }
            reactor.run()
        }
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func connectsAndKnowsBothAddresses(_ text: String) throws {
        let reactor = try Reactor()
        let listening = try Socket.listen(on: try #require(SocketAddress(text)))
        var peers: [SocketAddress] = []
        var descriptors: [Int32] = []
        let listener = try Listener(listening, on: reactor) { descriptor, peer, _ in
            peers.append(peer)
            descriptors.append(descriptor.relinquish())
        }
        var connecting = try Socket.connect(to: listener.localAddress)
        let client = connecting.descriptor.take()
        settle(reactor) { !descriptors.isEmpty }
        let server = Descriptor(owning: try #require(descriptors.first))
        #expect(client.takeError() == nil)
        #expect(try peers == [client.localAddress()])
        #expect(try client.peerAddress() == listener.localAddress)
        #expect(try server.peerAddress() == client.localAddress())
        #expect(listener.acceptedCount == 1 && listener.failedCount == 0)
        try client.setNoDelay()
        try client.setKeepAlive()
        let isUnknownTaken = client.setCongestionControl("no such algorithm")
        #expect(!isUnknownTaken)
        listener.close()
        #expect(reactor.registrationCount == 0)
    }

    @Test func connectsFromAChosenAddress() throws {
        let listening = try Socket.listen(on: .loopback())
        let source = try #require(SocketAddress("127.0.0.9:0"))
        let connecting = try Socket.connect(to: try listening.localAddress(), from: source)
        #expect(try connecting.descriptor.localAddress().ipAddress == source.ipAddress)
    }

    @Test func refusedConnectIsReportedBySocketError() throws {
        var unused = try Socket.listen(on: .loopback())
        let address = try unused.localAddress()
        unused.close()
        let reactor = try Reactor()
        var refusal: SystemError?
        settle(reactor) {
            do throws(SystemError) {
                let connecting = try Socket.connect(to: address)
                let recorder = Recorder()
                let token = try reactor.register(connecting.descriptor, handler: recorder)
                settle(reactor) { !recorder.calls.isEmpty }
                refusal = connecting.descriptor.takeError()
                reactor.deregister(token)
            } catch {
                refusal = error
            }
            return refusal != nil
        }
        #expect(refusal?.isConnectionRefused == true)
    }

    @Test func halfCloseLetsTheOtherDirectionLive() throws {
        let pair = try Socket.pair()
        try pair.first.shutdownWrite()
        var bytes = [UInt8](repeating: 0, count: 8)
        var span = bytes.mutableSpan
        #expect(pair.second.receive(into: &span) == .endOfFile)
        #expect(pair.second.send([UInt8]([1, 2]).span) == .bytes(2))
        #expect(pair.first.receive(into: &span) == .bytes(2))
        #expect(pair.first.receive(into: &span) == .wouldBlock)
    }

    @Test func sendToAClosedPeerIsAnErrorAndNotASignal() throws {
        var pair = try Socket.pair()
        pair.second.close()
        var result = TransferResult.wouldBlock
        settle(try Reactor()) {
            result = pair.first.send([UInt8]([1]).span)
            return if case .failed = result { true } else { false }
        }
        guard case .failed(let error) = result else {
            Issue.record("a send to nobody went through")
            return
        }
        #expect(error.isConnectionReset)
        #expect(error.name == "EPIPE")
        #expect(error.description == "send: the reader is gone (EPIPE)")
    }

    @Test func resetOnCloseReachesThePeerAsReset() throws {
        let reactor = try Reactor()
        var accepted = Descriptor.closed
        let listener = try Listener(Socket.listen(on: .loopback()), on: reactor) { it, _, _ in
            accepted = it
        }
        let connecting = try Socket.connect(to: listener.localAddress)
        settle(reactor) { listener.acceptedCount == 1 }
        try #require(listener.acceptedCount == 1)
        try accepted.setResetOnClose()
        accepted.close()
        var bytes = [UInt8](repeating: 0, count: 8)
        var result = TransferResult.wouldBlock
        settle(reactor) {
            var span = bytes.mutableSpan
            result = connecting.descriptor.receive(into: &span)
            return result != .wouldBlock
        }
        #expect(result == .failed(SystemError(errno: 104, call: .recv)))
        listener.close()
    }

    @Test func unixSocketNamesItsPeer() throws {
        let path = "/tmp/turnpike-\(try Entropy.random()).sock"
        let listening = try Socket.listen(on: .unix(path: path))
        let connecting = try Socket.connect(to: .unix(path: path))
        let isPending = connecting.isPending
        #expect(!isPending)
        let credentials = try connecting.descriptor.peerCredentials()
        #expect(credentials.uid == ProcessLimits.effectiveUser)
        #expect(credentials.pid == ProcessLimits.processIdentity)
        try FileSystem.remove(path)
        withExtendedLifetime(listening) {}
    }

    @Test func portIsSharedOnlyWhenAskedFor() throws {
        let first = try Socket.listen(on: .loopback(), sharesPort: true)
        let address = try first.localAddress()
        _ = try Socket.listen(on: address, sharesPort: true)
        #expect(throws: SystemError(errno: 98, call: .listen)) {
            _ = try Socket.listen(on: address)
        }
        withExtendedLifetime(first) {}
    }

    @Test func pausedListenerLeavesConnectionsWaiting() throws {
        let reactor = try Reactor()
        let listener = try Listener(Socket.listen(on: .loopback()), on: reactor) { it, _, _ in
            _ = it.isOpen
        }
        listener.pause()
        let connecting = try Socket.connect(to: listener.localAddress)
        settle(reactor)
        #expect(listener.acceptedCount == 0)
        listener.resume()
        settle(reactor) { listener.acceptedCount == 1 }
        #expect(listener.acceptedCount == 1)
        listener.close()
        withExtendedLifetime(connecting) {}
    }
}

struct SocketOwnerTests {
    private struct Connection: ~Copyable {
        var client: Descriptor
        var server: Descriptor
    }

    private func connect(_ text: String, on reactor: Reactor) throws -> Connection {
        let listening = try Socket.listen(on: try #require(SocketAddress(text)))
        var connecting = try Socket.connect(to: try listening.localAddress())
        // On loopback the connection is in the queue before connect returns.
        guard case .accepted(var accepted) = Socket.accept(from: listening) else {
            throw SystemError(errno: 11, call: .accept)
        }
        return Connection(
            client: connecting.descriptor.take(),
            server: accepted.descriptor.take()
        )
    }

    private func ask(_ connection: borrowing Connection, _ reactor: Reactor) throws -> SocketOwner {
        reactor.ownerOfClient(
            try connection.server.peerAddress(),
            server: try connection.server.localAddress()
        )
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "127.0.0.77:0"])
    func ownConnectionIsOurs(_ text: String) throws {
        let reactor = try Reactor()
        let connection = try connect(text, on: reactor)
        #expect(try ask(connection, reactor) == .owner(uid: ProcessLimits.effectiveUser))
    }

    @Test func halfClosedClientHasAnOwner() throws {
        let reactor = try Reactor()
        let connection = try connect("127.0.0.1:0", on: reactor)
        try connection.server.shutdownWrite()
        #expect(try ask(connection, reactor) == .owner(uid: ProcessLimits.effectiveUser))
    }

    /// A closed socket reports uid 0, which must not pass for root.
    @Test func closedClientIsRefused() throws {
        let reactor = try Reactor()
        var connection = try connect("127.0.0.1:0", on: reactor)
        let client = try connection.server.peerAddress()
        let server = try connection.server.localAddress()
        connection.client.close()
        #expect(isRefused(client, server, by: reactor))
        connection.server.close()
        #expect(isRefused(client, server, by: reactor))
    }

    /// Asks until refused: a child that another test forks holds the socket open for a moment.
    private func isRefused(
        _ client: SocketAddress,
        _ server: SocketAddress,
        by reactor: Reactor
    ) -> Bool {
        for _ in 0..<4_000 {
            if case .refused = reactor.ownerOfClient(client, server: server) { return true }
            reactor.schedule(after: .milliseconds(5)) { $0.stop() }
            reactor.run()
        }
        return false
    }

    /// The kernel answers with the listener when the four-tuple names no connection.
    @Test func listenerOnThePortIsNotTheClient() throws {
        let reactor = try Reactor()
        let listening = try Socket.listen(on: .loopback())
        let own = try listening.localAddress()
        let stranger = try #require(SocketAddress("127.0.0.1:9"))
        #expect(reactor.ownerOfClient(own, server: stranger) == .refused(.notFound))
    }

    @Test func remoteAddressIsRefused() throws {
        let reactor = try Reactor()
        let remote = try #require(SocketAddress("10.1.2.3:4000"))
        let answer = reactor.ownerOfClient(remote, server: .loopback(port: 80))
        #expect(answer == .refused(.notLoopback))
    }

    @Test(.enabled(if: ProcessLimits.effectiveUser == 0, "needs root to become another user"))
    func childOfAnotherUserIsFound() async throws {
        let thread = try ReactorThread(name: "owner")
        defer { thread.stop() }
        let reactor = thread.reactor
        let listening = try Socket.listen(on: .loopback())
        let port = try #require(try listening.localAddress().port)
        let script = "exec 3<>/dev/tcp/127.0.0.1/\(port); echo connected >&3; exec sleep 60"
        let command = Command(
            "/bin/bash",
            ["-c", script],
            environment: ["PATH": "/usr/bin:/bin"],
            user: Command.User(uid: 54_321, gid: 54_321)
        )
        let child = try await ChildProcess.start(command, on: reactor)
        var answer: SocketOwner?
        for _ in 0..<2_000 where answer == nil {
            if case .accepted(let accepted) = Socket.accept(from: listening) {
                let server = try accepted.descriptor.localAddress()
                answer = await reactor.perform { $0.ownerOfClient(accepted.peer, server: server) }
            } else {
                try await reactor.sleep(for: .milliseconds(5))
            }
        }
        #expect(answer == .owner(uid: 54_321))
        #expect(await child.stop(.kill, grace: .seconds(10)) == .killed(signal: 9))
    }
}
