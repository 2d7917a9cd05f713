/// A value that travels as a bind parameter and comes back as a column, in binary format.
package protocol PostgresCodable {
    /// The type it is sent as.
    static var postgresType: PostgresType { get }

    /// Whether a column of `type` can be read into this value.
    static func reads(_ type: PostgresType) -> Bool

    var postgresBytes: [UInt8] { get }

    init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure)
}

/// Why the bytes of a column are not the value that was asked for.
package enum PostgresDecodingFailure: Error, Equatable, Sendable {
    case wrongLength
    case notUTF8
    case outOfRange
    case unknownValue
    case unexpectedNull
    case unexpectedType
    case malformedArray
}

extension PostgresCodable {
    package static func reads(_ type: PostgresType) -> Bool { type == postgresType }

    /// The bind parameter.
    package var postgresValue: PostgresValue {
        PostgresValue(type: Self.postgresType, bytes: postgresBytes)
    }
}

extension PostgresCodable where Self: RawRepresentable, RawValue: PostgresCodable {
    package static var postgresType: PostgresType { RawValue.postgresType }

    package static func reads(_ type: PostgresType) -> Bool { RawValue.reads(type) }

    package var postgresBytes: [UInt8] { rawValue.postgresBytes }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        let raw = try RawValue(postgresBytes: bytes, type: type)
        guard let value = Self(rawValue: raw) else { throw .unknownValue }
        self = value
    }
}

/// Fixed-width integers in network byte order.
enum BigEndian {
    static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        var bytes: [UInt8] = []
        append(number, to: &bytes)
        return bytes
    }

    static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    /// Reads the whole of `bytes`, which must have exactly the number's width.
    static func number<Number: FixedWidthInteger>(
        _ bytes: Span<UInt8>,
        as: Number.Type = Number.self
    ) throws(PostgresDecodingFailure) -> Number {
        guard bytes.count == Number.bitWidth / 8 else { throw .wrongLength }
        var number: Number = 0
        for index in bytes.indices {
            number = (number << 8) | Number(truncatingIfNeeded: bytes[index])
        }
        return number
    }
}
