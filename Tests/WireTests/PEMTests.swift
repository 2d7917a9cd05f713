import Testing
import Wire

@Suite struct PEMTests {
    @Test(arguments: [0, 1, 47, 48, 49, 500])
    func roundTrip(count: Int) throws {
        let block = PEM.Block(
            label: "CERTIFICATE",
            bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        )
        let text = PEM.encode([block, block])
        #expect(try PEM.decode(text) == [block, block])
        #expect(text.utf8.split(separator: 0x0A).allSatisfy { $0.count <= 64 })
    }

    @Test func skipsTextBetweenBlocksAndTakesCarriageReturns() throws {
        let text = "subject=one\r\n-----BEGIN A B-----\r\nZm9v\r\n-----END A B-----\r\n# end"
        #expect(try PEM.decode(text) == [PEM.Block(label: "A B", bytes: Array("foo".utf8))])
        #expect(try PEM.decode("nothing here").isEmpty)
    }

    @Test(arguments: [
        "-----BEGIN A-----\nZm9v\n",
        "-----BEGIN A-----\nZm9v\n-----END B-----\n",
        "-----BEGIN A-----\nZm9v \n-----END A-----\n",
        "-----BEGIN A-----\n\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----\n",
        "-----END A-----\n",
        "-----BEGIN -----\n-----END -----\n",
        "-----BEGIN A----\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nZg==\nZg==\n-----END A-----\n",
        "-----BEGIN A----- \nZm9v\n-----END A-----\n",
    ])
    func refuses(text: String) {
        #expect(throws: WireError.self) { try PEM.decode(text) }
    }

    @Test func refusesTooMuch() {
        #expect(throws: WireError.tooLarge(limit: 4)) { try PEM.decode("12345", limit: 4) }
    }
}
