import Testing
import Wire

@Suite struct Base64Tests {
    // RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func vectors(plain: String, encoded: String) throws {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(try Base64.decode(encoded) == Array(plain.utf8))
        let bare = String(encoded.prefix { $0 != "=" })
        #expect(Base64URL.encode(Array(plain.utf8)) == bare)
        #expect(try Base64URL.decode(bare) == Array(plain.utf8))
    }

    @Test func alphabetsDiffer() throws {
        let bytes: [UInt8] = [0xFB, 0xFF, 0xFE]
        #expect(Base64.encode(bytes) == "+//+")
        #expect(Base64URL.encode(bytes) == "-__-")
        #expect(throws: WireError.self) { try Base64.decode("-__-") }
        #expect(throws: WireError.self) { try Base64URL.decode("+//+") }
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v=",
        "Zg==Zg==", "Z=g=", "Zm9é", "Zm9v====",
    ])
    func refusesLooseBase64(text: String) {
        #expect(throws: WireError.self) { try Base64.decode(text) }
    }

    @Test(arguments: ["Zg==", "Zh", "Zm9", "Z", "Zm9vY", "Zm9v ", "Zm9v="])
    func refusesLooseBase64URL(text: String) {
        #expect(throws: WireError.self) { try Base64URL.decode(text) }
    }
}
