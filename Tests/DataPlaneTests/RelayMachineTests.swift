import DataPlane
import Testing

@Suite struct RelayMachineTests {
    /// A machine whose sockets all have room and nothing to read.
    private func idle() -> RelayMachine {
        var machine = RelayMachine()
        machine.becameWritable(.plain)
        machine.becameWritable(.secure)
        return machine
    }

    @Test func nothingHappensWithoutAnEdge() {
        var machine = idle()
        #expect(machine.next() == .wait)
    }

    @Test func twoBusySidesTakeTurns() {
        var machine = idle()
        machine.becameReadable(.plain)
        machine.becameReadable(.secure)
        #expect(machine.next() == .transfer(from: .secure))
        #expect(machine.next() == .transfer(from: .plain))
        #expect(machine.next() == .transfer(from: .secure))
        machine.wasDrained(.secure)
        #expect(machine.next() == .transfer(from: .plain))
        #expect(machine.next() == .transfer(from: .plain))
    }

    @Test func aSlowSinkStopsItsSourceAndNobodyElse() {
        var machine = idle()
        machine.becameReadable(.plain)
        machine.becameReadable(.secure)
        machine.wasHeld(10, for: .secure)
        #expect(machine.next() == .transfer(from: .secure))
        machine.wasDrained(.secure)
        #expect(machine.next() == .wait)
        machine.becameWritable(.secure)
        #expect(machine.next() == .flush(.secure))
        machine.wasFlushed(.secure)
        #expect(machine.next() == .transfer(from: .plain))
    }

    @Test(arguments: [RelayMachine.Side.plain, .secure])
    func anEndIsPassedOnAfterTheBytesBeforeIt(side: RelayMachine.Side) {
        var machine = idle()
        machine.wasHeld(3, for: side.other)
        machine.ended(side)
        #expect(machine.next() == .wait)
        machine.becameWritable(side.other)
        #expect(machine.next() == .flush(side.other))
        machine.wasFlushed(side.other)
        #expect(machine.next() == .finish(side.other))
        machine.finished(side.other)
        #expect(machine.next() == .wait)
        machine.becameReadable(side.other)
        #expect(machine.next() == .transfer(from: side.other))
    }

    @Test func bothEndsCloseOnlyWhenAllIsSent() {
        var machine = idle()
        machine.ended(.plain)
        #expect(machine.next() == .finish(.secure))
        machine.finished(.secure)
        machine.wasHeld(24, for: .secure)
        machine.ended(.secure)
        #expect(machine.next() == .finish(.plain))
        machine.finished(.plain)
        #expect(machine.next() == .wait)
        machine.becameWritable(.secure)
        #expect(machine.next() == .flush(.secure))
        machine.wasFlushed(.secure)
        #expect(machine.next() == .close)
    }

    @Test func nothingIsReadFromASideThatEnded() {
        var machine = idle()
        machine.ended(.plain)
        machine.finished(.secure)
        machine.becameReadable(.plain)
        #expect(machine.next() == .wait)
        #expect(!machine.mayReceive(from: .plain))
        #expect(machine.hasEnded(.plain))
    }

    @Test func aReplacedSocketKeepsWhatWaitsForIt() {
        var machine = idle()
        machine.wasHeld(7, for: .plain)
        machine.lostSocket(.plain)
        #expect(machine.heldByteCount(for: .plain) == 7)
        #expect(!machine.canFlush(.plain))
        machine.becameWritable(.plain)
        #expect(machine.canFlush(.plain))
        #expect(!machine.maySend(to: .plain))
    }
}
