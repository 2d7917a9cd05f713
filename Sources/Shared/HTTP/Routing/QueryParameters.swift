/// The parameters of a query, decoded and in order.
///
/// `&` separates, the first `=` ends the name, a name alone has an empty value. `+` is a space, as
/// forms and most client libraries write it; a plus sign is `%2B`. Empty parts are skipped.
package struct QueryParameters: Equatable, Sendable {
    /// What a query may hold.
    package struct Bounds: Equatable, Sendable {
        /// Most parameters.
        package var countMax = 64
        /// Longest name, in bytes, encoded.
        package var nameByteCountMax = 256
        /// Longest value, in bytes, encoded.
        package var valueByteCountMax = 4 * 1024

        /// The house's bounds.
        package init() {}
    }

    /// One parameter, decoded.
    package struct Parameter: Equatable, Sendable {
        package let name: String
        package let value: String
    }

    /// All parameters in order.
    package let all: [Parameter]

    /// Parameters from an encoded query; none from nil.
    package init(_ query: String?, bounds: Bounds = Bounds()) throws(TextFault) {
        var parameters: [Parameter] = []
        for part in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
            guard parameters.count < bounds.countMax else { throw .tooMany }
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            let name = part[..<(equals ?? part.endIndex)]
            let value = equals.map { part[part.index(after: $0)...] }
            guard name.count <= bounds.nameByteCountMax,
                value?.count ?? 0 <= bounds.valueByteCountMax
            else { throw .tooLong }
            parameters.append(
                Parameter(
                    name: try PercentDecoding.text(name, plusIsSpace: true),
                    value: try value.map { octets throws(TextFault) in
                        try PercentDecoding.text(octets, plusIsSpace: true)
                    } ?? ""
                )
            )
        }
        all = parameters
    }

    /// Every value of that name, in order.
    package func values(_ name: String) -> [String] {
        all.filter { $0.name == name }.map(\.value)
    }

    /// The value of a parameter that may occur once only; nil when it is absent.
    package func single(_ name: String) throws(TextFault) -> String? {
        let values = values(name)
        guard values.count <= 1 else { throw .repeated }
        return values.first
    }

    /// The first name that is none of these, for routes that refuse what they do not know.
    package func firstName(notIn known: Set<String>) -> String? {
        all.first { !known.contains($0.name) }?.name
    }
}
