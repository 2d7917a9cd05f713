import Wire

// The parts that PostgreSQL's messages are made of.
extension ByteReader {
    /// A text of at most `limit` bytes up to its NUL; nil without one, or for what is not UTF-8.
    mutating func readCString(limit: Int) -> String? {
        readCBytes(limit: limit).flatMap { Text.decode($0) }
    }

    /// The bytes before the next NUL, of which there are at most `limit`; nil without one.
    mutating func readCBytes(limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while let byte = try? readUInt8() {
            if byte == 0 { return bytes }
            guard bytes.count < limit else { return nil }
            bytes.append(byte)
        }
        return nil
    }
}

/// Messages that the agent says itself, to either side.
enum PostgresWriting {
    /// A typed message.
    static func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: body.count + 5)
        writer.writeUInt8(type.asciiValue ?? 0)
        writer.writeUInt32(UInt32(truncatingIfNeeded: body.count + 4))
        writer.writeBytes(body)
        return writer.bytes
    }

    /// A text with its NUL; bytes that would end it early are left out.
    static func cString(_ text: String) -> [UInt8] {
        text.utf8.filter { $0 != 0 } + [0]
    }

    /// A start-up message of protocol 3.0.
    static func start(_ parameters: [(String, String)]) -> [UInt8] {
        var body: [UInt8] = [0, 3, 0, 0]
        for (name, value) in parameters { body += cString(name) + cString(value) }
        return untyped(body + [0])
    }

    /// A request to cancel what another session does.
    static func cancel(process: UInt32, key: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeUInt32(PostgresGreeting.cancelCode)
        writer.writeUInt32(process)
        writer.writeBytes(key)
        return untyped(writer.bytes)
    }

    private static func untyped(_ body: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: body.count + 4)
        writer.writeUInt32(UInt32(truncatingIfNeeded: body.count + 4))
        writer.writeBytes(body)
        return writer.bytes
    }

    /// An error; FATAL ones are the last that is said.
    static func error(isFatal: Bool, sqlState: String, message: String) -> [UInt8] {
        let severity = isFatal ? "FATAL" : "ERROR"
        var body: [UInt8] = []
        for (field, text) in [
            ("S", severity), ("V", severity), ("C", sqlState), ("M", message),
        ] {
            body += Array(field.utf8) + cString(text)
        }
        return Self.message("E", body + [0])
    }

    /// The session's own key for requests to cancel.
    static func backendKey(_ key: PostgresCancelKey) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeUInt32(key.process)
        writer.writeBytes(key.secret)
        return message("K", writer.bytes)
    }
}
