/// A setting's value after it was read by its kind.
package enum SettingValue: Equatable, Sendable {
    case text(String)
    case boolean(Bool)
    case integer(Int)
    case duration(Duration)
    case byteCount(ByteCount)
    case list([String])

    /// Reads a value by its kind.
    init(_ field: FieldValue, as kind: Setting.Kind) throws(FieldError) {
        switch kind {
        case .text: self = .text(try field.string())
        case .boolean: self = .boolean(try field.bool())
        case .integer(let range): self = .integer(try field.int(in: range))
        case .duration(let range): self = .duration(try field.duration(in: range))
        case .byteCount(let range): self = .byteCount(try field.byteCount(in: range))
        case .choice(let allowed): self = .text(try field.choice(of: allowed))
        case .list: self = .list(try field.strings())
        }
    }

    /// The value as a person writes it in the file.
    package var document: Document {
        switch self {
        case .text(let text): .string(text)
        case .boolean(let flag): .bool(flag)
        case .integer(let number): .number(number)
        case .duration(let duration): .duration(duration)
        case .byteCount(let count): .byteCount(count)
        case .list(let items): .list(items)
        }
    }
}
