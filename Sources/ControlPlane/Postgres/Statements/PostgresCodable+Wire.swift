package import Wire

/// Microseconds since 2000 as PostgreSQL counts them; its infinities are the distant times.
extension Timestamp: PostgresCodable {
    /// Microseconds from 1970 to 2000.
    private static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    package static var postgresType: PostgresType { .timestamptz }

    package var postgresBytes: [UInt8] {
        switch self {
        case .distantPast: BigEndian.bytes(Int64.min)
        case .distantFuture: BigEndian.bytes(Int64.max)
        default: BigEndian.bytes(microsecondsSinceEpoch - Timestamp.postgresEpochMicroseconds)
        }
    }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        let stored = try BigEndian.number(bytes, as: Int64.self)
        switch stored {
        case .min: self = .distantPast
        case .max: self = .distantFuture
        default:
            let (moved, moveOverflow) = stored.addingReportingOverflow(
                Timestamp.postgresEpochMicroseconds
            )
            let (nanoseconds, overflow) = moved.multipliedReportingOverflow(by: 1_000)
            guard !moveOverflow, !overflow else { throw .outOfRange }
            self.init(nanosecondsSinceEpoch: nanoseconds)
        }
    }
}

extension Timestamp: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .timestamptzArray }
}

extension UUIDv7: PostgresCodable {
    package static var postgresType: PostgresType { .uuid }

    package var postgresBytes: [UInt8] { bytes }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        guard bytes.count == 16 else { throw .wrongLength }
        let copy = try UInt8.elements(bytes, type: .bytea)
        do {
            self = try UUIDv7(bytes: copy)
        } catch {
            throw .unknownValue
        }
    }
}

extension UUIDv7: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .uuidArray }
}
