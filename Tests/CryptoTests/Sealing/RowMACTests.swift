import Crypto
import Testing

struct RowMACTests {
    let key: KeyringKey
    let content: [(name: String, value: [UInt8])] = [("policy", [1, 2]), ("ttl", [3])]

    init() throws {
        key = try KeyringKey(keyring: "rows", version: 1, key: .random(count: 32))
    }

    @Test func isOfExactlyThisRow() throws {
        let mac = try RowMAC.make(over: content, as: exampleRow(), with: key)
        #expect(try RowMAC.isValid(mac, over: content, as: exampleRow(), with: key))
        #expect(try RowMAC.make(over: content, as: exampleRow(), with: key) == mac)
        for change in otherRows {
            var row = exampleRow()
            change(&row)
            #expect(try !RowMAC.isValid(mac, over: content, as: row, with: key))
        }
        let others: [[(name: String, value: [UInt8])]] = [
            [], [("policy", [1, 2])], [("policy", [1]), ("ttl", [2, 3])],
            [("ttl", [3]), ("policy", [1, 2])], [("policyt", [1, 2]), ("tl", [3])],
        ]
        for other in others {
            #expect(try !RowMAC.isValid(mac, over: other, as: exampleRow(), with: key))
        }
    }

    @Test func alteredMACsAreRefused() throws {
        let mac = try RowMAC.make(over: content, as: exampleRow(), with: key)
        for index in mac.indices {
            var altered = mac
            altered[index] ^= 1
            let isValid = try? RowMAC.isValid(altered, over: content, as: exampleRow(), with: key)
            #expect(isValid != true)
        }
        for count in 0..<mac.count {
            let cut = Array(mac.prefix(count))
            let isValid = try? RowMAC.isValid(cut, over: content, as: exampleRow(), with: key)
            #expect(isValid != true)
        }
    }

    @Test func aSealedValueIsNoMAC() throws {
        let sealed = try KeySealing.seal(.random(count: 4), as: exampleRow(), with: key)
        #expect(throws: CryptoError.self) {
            try RowMAC.isValid(sealed, over: content, as: exampleRow(), with: key)
        }
    }
}
