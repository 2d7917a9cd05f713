extension String: PostgresCodable {
    package static var postgresType: PostgresType { .text }

    package static func reads(_ type: PostgresType) -> Bool {
        switch type {
        case .text, .varchar, .bpchar, .name, .json, .jsonb: true
        default: false
        }
    }

    package var postgresBytes: [UInt8] { Array(utf8) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        if type == .jsonb {
            self = try JSONText(postgresBytes: bytes, type: type).text
        } else {
            self = try String.decoding(bytes)
        }
    }

    /// Copies UTF-8 bytes.
    static func decoding(
        _ bytes: Span<UInt8>
    ) throws(PostgresDecodingFailure) -> String {
        do {
            return try String(copying: UTF8Span(validating: bytes))
        } catch {
            throw .notUTF8
        }
    }
}

extension Bool: PostgresCodable {
    package static var postgresType: PostgresType { .bool }

    package var postgresBytes: [UInt8] { [self ? 1 : 0] }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        self = try BigEndian.number(bytes, as: UInt8.self) != 0
    }
}

extension Int16: PostgresCodable {
    package static var postgresType: PostgresType { .int2 }

    package var postgresBytes: [UInt8] { BigEndian.bytes(self) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        self = try BigEndian.number(bytes)
    }
}

extension Int32: PostgresCodable {
    package static var postgresType: PostgresType { .int4 }

    package static func reads(_ type: PostgresType) -> Bool { type == .int4 || type == .int2 }

    package var postgresBytes: [UInt8] { BigEndian.bytes(self) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        if type == .int2 {
            self = Int32(try BigEndian.number(bytes, as: Int16.self))
        } else {
            self = try BigEndian.number(bytes)
        }
    }
}

extension Int64: PostgresCodable {
    package static var postgresType: PostgresType { .int8 }

    package static func reads(_ type: PostgresType) -> Bool {
        type == .int8 || type == .int4 || type == .int2
    }

    package var postgresBytes: [UInt8] { BigEndian.bytes(self) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        if type == .int8 {
            self = try BigEndian.number(bytes)
        } else {
            self = Int64(try Int32(postgresBytes: bytes, type: type))
        }
    }
}

/// Sent as `int8`.
extension Int: PostgresCodable {
    package static var postgresType: PostgresType { .int8 }

    package static func reads(_ type: PostgresType) -> Bool { Int64.reads(type) }

    package var postgresBytes: [UInt8] { Int64(self).postgresBytes }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        self = Int(try Int64(postgresBytes: bytes, type: type))
    }
}

/// Sent as `float8`.
extension Double: PostgresCodable {
    package static var postgresType: PostgresType { .float8 }

    package static func reads(_ type: PostgresType) -> Bool {
        type == .float8 || type == .float4
    }

    package var postgresBytes: [UInt8] { BigEndian.bytes(bitPattern) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        if type == .float4 {
            self = Double(Float(bitPattern: try BigEndian.number(bytes)))
        } else {
            self = Double(bitPattern: try BigEndian.number(bytes))
        }
    }
}

/// The text of a JSON document, sent as `jsonb`.
package struct JSONText: PostgresCodable, Equatable, Sendable {
    package let text: String

    /// The version that precedes the text in the binary form of `jsonb`.
    private static let version: UInt8 = 1

    package init(_ text: String) { self.text = text }

    package static var postgresType: PostgresType { .jsonb }

    package static func reads(_ type: PostgresType) -> Bool { type == .jsonb || type == .json }

    package var postgresBytes: [UInt8] { [JSONText.version] + Array(text.utf8) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        if type == .jsonb {
            guard bytes.count > 0, bytes[0] == JSONText.version else { throw .unknownValue }
            text = try String.decoding(bytes.extracting(1..<bytes.count))
        } else {
            text = try String.decoding(bytes)
        }
    }
}
