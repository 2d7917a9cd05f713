/// A value that can stand in an array parameter; `[UInt8]` is `bytea`, all others `type[]`.
package protocol PostgresArrayElement {
    static var postgresArrayType: PostgresType { get }
    static func readsArray(_ type: PostgresType) -> Bool
    static func postgresBytes(of elements: [Self]) -> [UInt8]
    static func elements(
        _ bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) -> [Self]
}

extension Array: PostgresCodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.postgresArrayType }

    package static func reads(_ type: PostgresType) -> Bool { Element.readsArray(type) }

    package var postgresBytes: [UInt8] { Element.postgresBytes(of: self) }

    package init(
        postgresBytes bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) {
        self = try Element.elements(bytes, type: type)
    }
}

extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .bytea }

    package static func readsArray(_ type: PostgresType) -> Bool { type == .bytea }

    package static func postgresBytes(of elements: [UInt8]) -> [UInt8] { elements }

    package static func elements(
        _ bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        for index in bytes.indices { copy.append(bytes[index]) }
        return copy
    }
}

extension String: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .textArray }

    package static func readsArray(_ type: PostgresType) -> Bool {
        type == .textArray || type == .varcharArray || type == .nameArray
    }
}

extension Bool: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .boolArray }
}

extension Int16: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int2Array }
}

extension Int32: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int4Array }
}

extension Int64: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int8Array }
}

extension Int: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int8Array }

    package static func readsArray(_ type: PostgresType) -> Bool {
        type == .int8Array || type == .int4Array || type == .int2Array
    }
}

extension Array: PostgresArrayElement where Element == UInt8 {
    package static var postgresArrayType: PostgresType { .byteaArray }
}

extension PostgresArrayElement {
    package static func readsArray(_ type: PostgresType) -> Bool { type == postgresArrayType }
}

/// The binary form of a one-dimensional array without NULLs: dimensions, a NULL flag, the
/// element type, length and lower bound, then each element with its length.
extension PostgresArrayElement where Self: PostgresCodable {
    package static func postgresBytes(of elements: [Self]) -> [UInt8] {
        var bytes: [UInt8] = []
        BigEndian.append(Int32(elements.isEmpty ? 0 : 1), to: &bytes)
        BigEndian.append(Int32(0), to: &bytes)
        BigEndian.append(postgresType.oid, to: &bytes)
        guard !elements.isEmpty else { return bytes }
        BigEndian.append(UInt32(truncatingIfNeeded: elements.count), to: &bytes)
        BigEndian.append(Int32(1), to: &bytes)
        for element in elements {
            let encoded = element.postgresBytes
            BigEndian.append(UInt32(truncatingIfNeeded: encoded.count), to: &bytes)
            bytes += encoded
        }
        return bytes
    }

    package static func elements(
        _ bytes: Span<UInt8>,
        type: PostgresType
    ) throws(PostgresDecodingFailure) -> [Self] {
        var offset = 0
        let dimensions = try nextWord(bytes, at: &offset)
        _ = try nextWord(bytes, at: &offset)
        let elementType = PostgresType(
            oid: UInt32(bitPattern: try nextWord(bytes, at: &offset))
        )
        guard reads(elementType) else { throw .unexpectedType }
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw .malformedArray }
        let count = try nextWord(bytes, at: &offset)
        _ = try nextWord(bytes, at: &offset)
        // Every element has a length word, so a count beyond the bytes is refused at once.
        guard count >= 0, Int(count) <= (bytes.count - offset) / 4 else { throw .malformedArray }
        var elements: [Self] = []
        elements.reserveCapacity(Int(count))
        for _ in 0..<count {
            let length = Int(try nextWord(bytes, at: &offset))
            guard length != -1 else { throw .unexpectedNull }
            guard length >= 0, length <= bytes.count - offset else { throw .malformedArray }
            let slice = bytes.extracting(offset..<(offset + length))
            elements.append(try Self(postgresBytes: slice, type: elementType))
            offset += length
        }
        guard offset == bytes.count else { throw .malformedArray }
        return elements
    }

    private static func nextWord(
        _ bytes: Span<UInt8>,
        at offset: inout Int
    ) throws(PostgresDecodingFailure) -> Int32 {
        guard bytes.count - offset >= 4 else { throw .malformedArray }
        let word = try BigEndian.number(bytes.extracting(offset..<(offset + 4)), as: Int32.self)
        offset += 4
        return word
    }
}
