import Testing

@testable import Control

@Suite struct LookupGateTests {
    @Test func oneSourceCannotTakeThePlacesOfAnother() {
        let gate = LookupGate()
        for _ in 0..<LookupGate.lookupsPerSourceMax { #expect(gate.enter("a")) }
        #expect(!gate.enter("a"))
        #expect(gate.enter("b"))
        gate.leave("a")
        #expect(gate.enter("a"))
    }
}
