@testable import Control
import Crypto
import Testing
import Wire

/// When a replica asks an issuer for its keys again.
struct KeySetStateTests {
    private let start = ContinuousClock.now

    private func keys(_ name: String) throws -> JSONWebKeySet {
        let key = try SigningKey.generate(.ed25519).publicKey
        let x = Base64URL.encode(key.keyBytes)
        let text = #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"\#(name)","x":"\#(x)"}]}"#
        return try JSONWebKeySet(publicText: Array(text.utf8))
    }

    private func word(_ step: KeySetState.Step) -> String {
        switch step {
        case .use(let set): "use \(set.keys.first?.keyID ?? "")"
        case .fetch: "fetch"
        case .wait: "wait"
        case .unavailable: "unavailable"
        }
    }

    @Test func asksOnceAndLetsTheOthersWait() throws {
        var state = KeySetState()
        #expect(word(state.ask(keyID: "a", isPlausible: false, now: start)) == "fetch")
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: start)) == "wait")
        state.failed()
        let soon = start.advanced(by: .seconds(1))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: soon)) == "unavailable")
        let later = start.advanced(by: .seconds(3))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: later)) == "fetch")
        state.fetched(try keys("a"), maxAge: nil, jitter: 0.5, now: later)
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: later)) == "use a")
    }

    @Test func unknownNamesAskOnceInHalfAMinute() throws {
        var state = KeySetState()
        _ = state.ask(keyID: nil, isPlausible: true, now: start)
        state.fetched(try keys("a"), maxAge: nil, jitter: 0, now: start)
        for seconds in [0, 10, 29] {
            let now = start.advanced(by: .seconds(seconds))
            #expect(word(state.ask(keyID: "b", isPlausible: true, now: now)) == "use a")
        }
        let now = start.advanced(by: .seconds(30))
        #expect(word(state.ask(keyID: "b", isPlausible: false, now: now)) == "use a")
        #expect(word(state.ask(keyID: "b", isPlausible: true, now: now)) == "fetch")
        #expect(word(state.ask(keyID: "b", isPlausible: true, now: now)) == "wait")
        // Those whose key is known do not wait for them.
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: now)) == "use a")
        state.fetched(try keys("b"), maxAge: nil, jitter: 0, now: now)
        #expect(word(state.ask(keyID: "b", isPlausible: true, now: now)) == "use b")
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: now)) == "use b")
    }

    @Test(arguments: [
        (nil, 600), (Duration.seconds(1), 30), (.seconds(90), 90), (.seconds(86_400), 600),
    ])
    func keysAreAskedForAgainInTime(maxAge: Duration?, seconds: Int) throws {
        var state = KeySetState()
        _ = state.ask(keyID: "a", isPlausible: true, now: start)
        state.fetched(try keys("a"), maxAge: maxAge, jitter: 0.5, now: start)
        let early = start.advanced(by: .seconds(seconds - 1))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: early)) == "use a")
        let due = start.advanced(by: .seconds(seconds))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: due)) == "fetch")
        state.failed()
        // What was known is used on, and the issuer asked no more often than before.
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: due)) == "use a")
    }

    @Test func keysThatCannotBeHadAgainEndAfterADay() throws {
        var state = KeySetState()
        _ = state.ask(keyID: "a", isPlausible: true, now: start)
        state.fetched(try keys("a"), maxAge: nil, jitter: 0, now: start)
        let almost = start.advanced(by: .seconds(86_399))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: almost)) == "fetch")
        state.failed()
        let over = start.advanced(by: .seconds(86_400))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: over)) == "unavailable")
        let after = start.advanced(by: .seconds(86_402))
        #expect(word(state.ask(keyID: "a", isPlausible: true, now: after)) == "fetch")
    }
}
