@testable import DataPlane
import Mesh
import Testing

@Suite struct CircuitTableTests {
    @Test func connectionsBeyondALimitAreRefusedAndLeaveNoTrace() {
        let circuit = CircuitTable().circuit(of: 1)
        let limits = UpstreamTraffic(connectionsMax: 3, pendingMax: 2)
        #expect(circuit.enter(limits) == nil)
        #expect(circuit.enter(limits) == nil)
        #expect(circuit.enter(limits) == .upstreamPendingExceeded)
        circuit.settled()
        #expect(circuit.enter(limits) == nil)
        #expect(circuit.enter(limits) == .upstreamConnectionsExceeded)
        #expect(circuit.open == 3)
        #expect(circuit.pending == 2)
        circuit.settled()
        circuit.ended()
        #expect(circuit.enter(limits) == nil)
        #expect(circuit.open == 3)
        #expect(circuit.enter(.standard) == nil)
    }

    @Test func aPortKeepsItsCountsAsLongAsItExists() {
        let table = CircuitTable()
        let circuit = table.circuit(of: 1)
        #expect(circuit.enter(.standard) == nil)
        table.keep([1, 2])
        #expect(table.circuit(of: 1) === circuit)
        table.keep([2])
        #expect(table.circuit(of: 1).open == 0)
    }
}
