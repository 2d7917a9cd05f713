import CLinux
import Testing

@testable import Reactor

struct SignalSourceTests {
    /// Raised on the reactor's own thread, so that no other thread of the test process gets them.
    @Test func signalsArriveAsEvents() async throws {
        let thread = try ReactorThread(name: "signals")
        defer { thread.stop() }
        let wanted: Set<Signal> = [.hangup, .terminate, .user1]
        let seen = Confined(Set<Signal>(), to: thread.reactor)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            thread.reactor.post { reactor in
                var source: SignalSource?
                source = try? SignalSource(wanted, on: reactor) { signal, _ in
                    seen.value.insert(signal)
                    guard seen.value == wanted else { return }
                    source?.close()
                    source = nil
                    continuation.resume()
                }
                if source == nil { return continuation.resume() }
                for signal in wanted { clinux_raise(signal.rawValue) }
            }
        }
        #expect(await thread.reactor.perform { _ in seen.value } == wanted)
        #expect(await thread.reactor.perform { $0.registrationCount } == 0)
    }
}
