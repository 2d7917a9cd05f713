/// One bind parameter in binary format: a type and its bytes, or NULL.
///
/// Its description and its mirror show the size only: parameters carry secrets.
package struct PostgresValue: Equatable, Sendable {
    package let type: PostgresType
    package let bytes: [UInt8]?

    package init(type: PostgresType, bytes: [UInt8]?) {
        self.type = type
        self.bytes = bytes
    }
}

extension PostgresValue: CustomStringConvertible, CustomReflectable {
    package var description: String {
        guard let bytes else { return "\(type) NULL" }
        return "\(type) of \(bytes.count) bytes"
    }

    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
