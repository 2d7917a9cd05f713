@testable import DataPlane
import Mesh
import Reactor
import Support
import Synchronization
import Testing
import Wire

/// The conversation of two processes, over a pair of real sockets.
@Suite(.timeLimit(.minutes(1))) struct HandoverTests {
    private func passed(_ count: Int) throws -> PassedDescriptors {
        let passed = PassedDescriptors()
        for _ in 0..<count { passed.append(try Socket.listen(on: .loopback())) }
        return passed
    }

    private func inheritance(_ meshCount: Int) throws -> Handover.Inheritance {
        Handover.Inheritance(
            meshAddress: try #require(SocketAddress("127.0.0.1:7443")),
            sockets: ListeningSockets(
                mesh: try passed(meshCount),
                upstreams: [15_432: try passed(2), 80: try passed(1)]
            ),
            lock: try passed(1)
        )
    }

    @Test(arguments: [1, 2, 150])
    func everySocketArrivesAsWhatItIs(meshCount: Int) async throws {
        var pair = try Socket.pair()
        let given = try inheritance(meshCount)
        let older = PassedDescriptors()
        older.append(pair.first.take())
        let agent = try AgentName("host-a")
        let outcome = Mutex<HandoverError?>(nil)
        let isOver = Mutex(false)
        inBackground {
            let connection = older.takeFirst()
            do throws(HandoverError) {
                try Handover.awaitRequest(connection)
                try Handover.give(given, over: connection)
                var batch = EvidenceQueue.Batch()
                batch.droppedDecisionCount = 3
                batch.droppedFlowCount = 5
                var evidence = RemainingEvidence(of: agent)
                evidence.add(batch)
                evidence.send(over: connection)
                if let problem = evidence.problem { throw problem }
            } catch {
                outcome.withLock { $0 = error }
            }
            isOver.withLock { $0 = true }
        }
        let newer = PassedDescriptors()
        newer.append(pair.second.take())
        let taken = try await onThread { () -> Result<Handover.Inheritance, HandoverError> in
            let connection = newer.takeFirst()
            do throws(HandoverError) {
                let taken = try Handover.take(over: connection)
                try Handover.declareReady(over: connection)
                newer.append(connection)
                return .success(taken)
            } catch {
                return .failure(error)
            }
        }.get()
        #expect(taken.meshAddress == given.meshAddress)
        #expect(taken.sockets.mesh.count == meshCount)
        #expect(taken.sockets.upstreams.mapValues(\.count) == [15_432: 2, 80: 1])
        #expect(taken.lock.count == 1)
        #expect(try taken.sockets.mesh.takeFirst().localAddress().isLoopback)
        let dropped = Mutex<[UInt64]>([])
        await onThread {
            let connection = newer.takeFirst()
            try? Handover.receiveEvidence(of: agent, over: connection, isOver: { false }) { batch in
                dropped.withLock { $0 += [batch.droppedDecisionCount, batch.droppedFlowCount] }
            }
        }
        #expect(dropped.withLock { $0 } == [3, 0, 0, 5])
        #expect(outcome.withLock { $0 } == nil)
        #expect(isOver.withLock { $0 })
    }

    @Test(arguments: ["", "GET / HTTP/1.1\n", "turnpike-handover 2\n"])
    func whoeverDoesNotAskGetsNothing(words: String) async throws {
        var pair = try Socket.pair()
        let other = PassedDescriptors()
        other.append(pair.second.take())
        if !words.isEmpty {
            let socket = other.takeFirst()
            #expect(socket.send(Array(words.utf8)) == .bytes(words.utf8.count))
            other.append(socket)
        }
        _ = other.takeFirst()
        let asked = PassedDescriptors()
        asked.append(pair.first.take())
        let error = await onThread { () -> HandoverError? in
            do throws(HandoverError) {
                try Handover.awaitRequest(asked.takeFirst())
                return nil
            } catch {
                return error
            }
        }
        #expect(error != nil)
    }

    @Test func aNewerProcessThatDiesIsNoticed() async throws {
        var pair = try Socket.pair()
        let given = try inheritance(1)
        let older = PassedDescriptors()
        older.append(pair.first.take())
        pair.second.close()
        let error = await onThread { () -> HandoverError? in
            do throws(HandoverError) {
                try Handover.give(given, over: older.takeFirst())
                return nil
            } catch {
                return error
            }
        }
        #expect(error != nil)
    }

    @Test func whoeverAsksTooEarlyIsToldSo() async throws {
        var pair = try Socket.pair()
        try Handover.refuse("try again later", over: pair.first)
        let newer = PassedDescriptors()
        newer.append(pair.second.take())
        let error = await onThread { () -> HandoverError? in
            do throws(HandoverError) {
                _ = try Handover.take(over: newer.takeFirst())
                return nil
            } catch {
                return error
            }
        }
        #expect(error?.description == "try again later")
    }

    @Test(arguments: [
        #"{"mesh_address":"127.0.0.1:1","sockets":["lock","door"]}"#,
        #"{"mesh_address":"nowhere","sockets":[]}"#,
        #"{"mesh_address":"127.0.0.1:1","sockets":[70000]}"#,
        "no JSON",
    ])
    func whatTheOlderOneSaysIsChecked(plan: String) async throws {
        var pair = try Socket.pair()
        let sent = pair.first.send(Array("\(plan)\n".utf8))
        #expect(sent == .bytes(plan.utf8.count + 1))
        let newer = PassedDescriptors()
        newer.append(pair.second.take())
        let result = await onThread { () -> HandoverError? in
            do throws(HandoverError) {
                _ = try Handover.take(over: newer.takeFirst())
                return nil
            } catch {
                return error
            }
        }
        #expect(result != nil)
    }
}
