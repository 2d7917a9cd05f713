extension FieldReader {
    /// A text that must be there and not be empty.
    package mutating func string(
        _ name: String,
        bytes: ClosedRange<Int> = 1...FieldValue.textBytesMax
    ) throws(FieldError) -> String {
        try required(name).string(bytes: bytes)
    }

    /// A text, or nil when absent.
    package mutating func optionalString(
        _ name: String,
        bytes: ClosedRange<Int> = 0...FieldValue.textBytesMax
    ) throws(FieldError) -> String? {
        try optional(name)?.string(bytes: bytes)
    }

    /// A truth value that must be there.
    package mutating func bool(_ name: String) throws(FieldError) -> Bool {
        try required(name).bool()
    }

    /// A truth value, or nil when absent.
    package mutating func optionalBool(_ name: String) throws(FieldError) -> Bool? {
        try optional(name)?.bool()
    }

    /// A whole number within `range` that must be there.
    package mutating func int(
        _ name: String,
        in range: ClosedRange<Int>
    ) throws(FieldError) -> Int {
        try required(name).int(in: range)
    }

    /// A whole number within `range`, or nil when absent.
    package mutating func optionalInt(
        _ name: String,
        in range: ClosedRange<Int>
    ) throws(FieldError) -> Int? {
        try optional(name)?.int(in: range)
    }

    /// A duration within `range` that must be there.
    package mutating func duration(
        _ name: String,
        in range: ClosedRange<Duration>
    ) throws(FieldError) -> Duration {
        try required(name).duration(in: range)
    }

    /// A duration within `range`, or nil when absent.
    package mutating func optionalDuration(
        _ name: String,
        in range: ClosedRange<Duration>
    ) throws(FieldError) -> Duration? {
        try optional(name)?.duration(in: range)
    }

    /// A size within `range` that must be there.
    package mutating func byteCount(
        _ name: String,
        in range: ClosedRange<ByteCount>
    ) throws(FieldError) -> ByteCount {
        try required(name).byteCount(in: range)
    }

    /// A size within `range`, or nil when absent.
    package mutating func optionalByteCount(
        _ name: String,
        in range: ClosedRange<ByteCount>
    ) throws(FieldError) -> ByteCount? {
        try optional(name)?.byteCount(in: range)
    }

    /// A time that must be there.
    package mutating func timestamp(_ name: String) throws(FieldError) -> Timestamp {
        try required(name).timestamp()
    }

    /// A time, or nil when absent.
    package mutating func optionalTimestamp(_ name: String) throws(FieldError) -> Timestamp? {
        try optional(name)?.timestamp()
    }

    /// A case of an enum that must be there.
    package mutating func choice<T>(
        _ name: String,
        as type: T.Type
    ) throws(FieldError) -> T where T: RawRepresentable<String> & CaseIterable {
        try required(name).choice(as: type)
    }

    /// A case of an enum, or nil when absent.
    package mutating func optionalChoice<T>(
        _ name: String,
        as type: T.Type
    ) throws(FieldError) -> T? where T: RawRepresentable<String> & CaseIterable {
        try optional(name)?.choice(as: type)
    }

    /// A list of texts; empty when absent.
    package mutating func strings(
        _ name: String,
        limit: Int = FieldValue.elementsMax
    ) throws(FieldError) -> [String] {
        try optional(name)?.strings(limit: limit) ?? []
    }

    /// A map from texts to texts; empty when absent.
    package mutating func stringMap(
        _ name: String,
        limit: Int = FieldValue.elementsMax
    ) throws(FieldError) -> [String: String] {
        try optional(name)?.stringMap(limit: limit) ?? [:]
    }

    /// A nested map that must be there; other fields than `body` reads are refused.
    package mutating func map<T>(
        _ name: String,
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(FieldError) -> T {
        try required(name).map(body)
    }

    /// A nested map, or nil when absent; other fields than `body` reads are refused.
    package mutating func optionalMap<T>(
        _ name: String,
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(FieldError) -> T? {
        try optional(name)?.map(body)
    }

    /// A list whose elements `body` reads; empty when absent.
    package mutating func list<T>(
        _ name: String,
        limit: Int = FieldValue.elementsMax,
        _ body: (FieldValue) throws(FieldError) -> T
    ) throws(FieldError) -> [T] {
        var elements: [T] = []
        for element in try optional(name)?.list(limit: limit) ?? [] {
            elements.append(try body(element))
        }
        return elements
    }

    /// A list of maps whose fields `body` reads; empty when absent.
    package mutating func maps<T>(
        _ name: String,
        limit: Int = FieldValue.elementsMax,
        _ body: (inout FieldReader) throws(FieldError) -> T
    ) throws(FieldError) -> [T] {
        try list(name, limit: limit) { element throws(FieldError) in try element.map(body) }
    }
}
