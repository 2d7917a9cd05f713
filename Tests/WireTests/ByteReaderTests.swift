import Testing
import Wire

@Suite struct ByteReaderTests {
    @Test func readsWhatTheWriterWrote() throws {
        var writer = ByteWriter()
        writer.writeUInt8(1)
        writer.writeUInt16(0x0203)
        writer.writeUInt24(0x040506)
        writer.writeUInt32(0x0708_090A)
        writer.writeUInt64(.max)
        writer.writeInt64(-2)
        try writer.writePrefixed8([1, 2])
        try writer.writePrefixed16([3])
        try writer.writePrefixed32([])
        try writer.writeText32("é")
        writer.writeBytes([9, 9])
        #expect(Array(writer.bytes.prefix(10)) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        var reader = ByteReader(writer.bytes)
        #expect(try reader.readUInt8() == 1)
        #expect(try reader.readUInt16() == 0x0203)
        #expect(try reader.readUInt24() == 0x040506)
        #expect(try reader.readUInt32() == 0x0708_090A)
        #expect(try reader.readUInt64() == .max)
        #expect(try reader.readInt64() == -2)
        #expect(try reader.readPrefixed8() == [1, 2])
        #expect(try reader.readPrefixed16() == [3])
        #expect(try reader.readPrefixed32(limit: 0).isEmpty)
        #expect(try reader.readText32(limit: 2) == "é")
        #expect(throws: WireError.trailingBytes(count: 2)) { try reader.expectEnd() }
        #expect(reader.readRest() == [9, 9])
        try reader.expectEnd()
    }

    @Test func shortageLeavesTheCursor() throws {
        var reader = ByteReader([0, 5, 1])
        #expect(throws: WireError.truncated(needed: 4, available: 3)) { try reader.readUInt32() }
        #expect(throws: WireError.truncated(needed: 5, available: 1)) {
            try reader.readPrefixed16()
        }
        #expect(throws: WireError.tooLarge(limit: 4)) { try reader.readPrefixed16(limit: 4) }
        #expect(throws: WireError.self) { try reader.readBytes(-1) }
        #expect(throws: WireError.self) { try reader.skip(.max) }
        #expect(reader.offset == 0)
        #expect(reader.peek == 0)
        try reader.skip(3)
        #expect(reader.isAtEnd && reader.peek == nil)
    }

    @Test func textMustBeUTF8() throws {
        var reader = ByteReader([0, 0, 0, 2, 0xC0, 0x80])
        #expect(throws: WireError.self) { try reader.readText32(limit: 10) }
        #expect(reader.offset == 0)
    }
}
