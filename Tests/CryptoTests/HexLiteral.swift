import Testing
import Wire

/// The bytes of a hexadecimal literal; blanks are allowed.
func hex(_ text: String) throws -> [UInt8] {
    try Hex.decode(text.filter { $0 != " " && $0 != "\n" })
}
