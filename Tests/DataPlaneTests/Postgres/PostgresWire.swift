import DataPlane
import Wire

/// Messages as programs and servers write them, for tests: written down again, not the agent's own.
enum PostgresWire {
    static func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
        [type.asciiValue ?? 0] + number(body.count + 4) + body
    }

    static func number(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    static func query(_ statement: String) -> [UInt8] { message("Q", text(statement)) }

    static func parse(_ name: String, _ statement: String, types: Int = 0) -> [UInt8] {
        message(
            "P",
            text(name) + text(statement) + [0, UInt8(types)]
                + [UInt8](repeating: 0, count: 4 * types)
        )
    }

    static func bind(_ portal: String, _ name: String, _ values: [UInt8] = []) -> [UInt8] {
        message("B", text(portal) + text(name) + [0, 0, 0, 0] + values + [0, 0])
    }

    static func execute(_ portal: String = "") -> [UInt8] {
        message("E", text(portal) + number(0))
    }

    static let sync = message("S")

    static func start(_ options: [(String, String)], version: Int = 3 << 16) -> [UInt8] {
        let body =
            number(version) + options.flatMap { text($0.0) + text($0.1) } + [0]
        return number(body.count + 4) + body
    }

    static func complete(_ tag: String) -> [UInt8] { message("C", text(tag)) }

    static func ready(_ state: Character) -> [UInt8] { message("Z", [state.asciiValue ?? 0]) }

    static func parameter(_ name: String, _ value: String) -> [UInt8] {
        message("S", text(name) + text(value))
    }

    static func error(_ code: String, _ message: String) -> [UInt8] {
        Self.message("E", text("SERROR") + text("C\(code)") + text("M\(message)") + [0])
    }
}
