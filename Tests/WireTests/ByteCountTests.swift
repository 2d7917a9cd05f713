import Testing
import Wire

@Suite struct ByteCountTests {
    @Test(arguments: [
        ("64KiB", 65_536, "64KiB"), ("1MiB", 1_048_576, "1MiB"), ("1024KiB", 1_048_576, "1MiB"),
        ("0B", 0, "0B"), ("1000B", 1000, "1000B"), ("2GiB", 2_147_483_648, "2GiB"),
        ("0MiB", 0, "0B"),
    ])
    func readsAndWrites(text: String, bytes: Int, canonical: String) throws {
        #expect(try ByteCount(parsing: text).bytes == bytes)
        #expect(ByteCount(bytes: bytes).description == canonical)
    }

    @Test(arguments: [
        "", "64", "KiB", "64KB", "64kib", "-1B", "1.5MiB", "1 MiB", "1MiB ",
        "9999999999999TiB", "99999999999999999999B", "00000000000000000000000000000000001B",
    ])
    func refuses(text: String) {
        #expect(throws: WireError.self) { try ByteCount(parsing: text) }
    }

    @Test func constants() {
        #expect(ByteCount.kibibytes(64) < .mebibytes(1))
    }
}
