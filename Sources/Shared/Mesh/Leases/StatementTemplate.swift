/// A statement of an administrator in which placeholders stand for what is known at the time.
///
/// What is put in is made of letters, digits and `$+/:=-_. ` alone, so that it cannot end the quotes
/// that stand around it.
package struct StatementTemplate: Hashable, Sendable {
    /// What may stand in double braces.
    package enum Placeholder: String, Hashable, Sendable, CaseIterable {
        case name
        /// Another word for `name`.
        case username
        case password
        case expiration
    }

    private enum Piece: Hashable {
        case text(ArraySlice<UInt8>)
        case placeholder(Placeholder)
    }

    private let pieces: [Piece]

    /// Nil for braces without an end, or with another word between them.
    package init?(_ statement: String) {
        var pieces: [Piece] = []
        var rest = Array(statement.utf8)[...]
        while let open = Self.pair(UInt8(ascii: "{"), in: rest) {
            let inner = rest[(open + 2)...]
            guard let close = Self.pair(UInt8(ascii: "}"), in: inner),
                let placeholder = Placeholder(
                    rawValue: String(decoding: inner[..<close], as: UTF8.self)
                )
            else { return nil }
            pieces.append(.text(rest[..<open]))
            pieces.append(.placeholder(placeholder))
            rest = rest[(close + 2)...]
        }
        pieces.append(.text(rest))
        self.pieces = pieces
    }

    /// Whether it says which role it is about.
    package var namesRole: Bool {
        pieces.contains { $0 == .placeholder(.name) || $0 == .placeholder(.username) }
    }

    /// The statement with its placeholders filled; nil if a value could end its quotes.
    package func filled(name: String, password: String, expiration: String) -> String? {
        guard [name, password, expiration].allSatisfy(Self.isInert) else { return nil }
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .text(let text): bytes += text
            case .placeholder(.name), .placeholder(.username): bytes += Array(name.utf8)
            case .placeholder(.password): bytes += Array(password.utf8)
            case .placeholder(.expiration): bytes += Array(expiration.utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func pair(_ byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.dropLast().first { bytes[$0] == byte && bytes[$0 + 1] == byte }
    }

    private static func isInert(_ value: String) -> Bool {
        value.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "$+/:=-_. ".utf8.contains(byte)
            }
        }
    }
}
