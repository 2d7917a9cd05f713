import Testing
import Wire

@Suite struct ByteWriterTests {
    @Test func prefixedFieldsAreBounded() throws {
        var writer = ByteWriter()
        #expect(throws: WireError.tooLarge(limit: 255)) {
            try writer.writePrefixed8([UInt8](repeating: 0, count: 256))
        }
        #expect(throws: WireError.tooLarge(limit: 65_535)) {
            try writer.writePrefixed16([UInt8](repeating: 0, count: 65_536))
        }
        #expect(writer.count == 0)
        writer.writeText("ab")
        #expect(writer.bytes == [0x61, 0x62])
    }
}
