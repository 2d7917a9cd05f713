/// The values of all settings of a table, each read by its kind.
///
/// Asking for a key that the table does not have, or by another kind, is our own bug and traps.
package struct ResolvedSettings: Sendable {
    private let table: SettingsTable
    private let values: [String: SettingValue]
    private let origins: [String: String]

    init(table: SettingsTable, values: [String: SettingValue], origins: [String: String]) {
        self.table = table
        self.values = values
        self.origins = origins
    }

    /// Where the value was set: file with line and column, flag or variable; nil for the fallback.
    package func origin(of key: String) -> String? { origins[key] }

    /// A refusal of the value of `key` by a rule that its kind cannot say.
    package func error(_ key: String, _ problem: String, hint: String) -> SettingsError {
        SettingsError(origin: origins[key] ?? "default of \(key)", problem: problem, hint: hint)
    }

    /// The text of a setting of kind text or choice.
    package func text(_ key: String) -> String {
        guard case .text(let value) = values[key] else { preconditionFailure("no text \(key)") }
        return value
    }

    /// The value of a setting of kind boolean.
    package func boolean(_ key: String) -> Bool {
        guard case .boolean(let value) = values[key] else { preconditionFailure("no flag \(key)") }
        return value
    }

    /// The value of a setting of kind integer.
    package func integer(_ key: String) -> Int {
        guard case .integer(let value) = values[key] else {
            preconditionFailure("no integer \(key)")
        }
        return value
    }

    /// The value of a setting of kind duration.
    package func duration(_ key: String) -> Duration {
        guard case .duration(let value) = values[key] else {
            preconditionFailure("no duration \(key)")
        }
        return value
    }

    /// The value of a setting of kind byte count.
    package func byteCount(_ key: String) -> ByteCount {
        guard case .byteCount(let value) = values[key] else {
            preconditionFailure("no size \(key)")
        }
        return value
    }

    /// The items of a setting of kind list.
    package func list(_ key: String) -> [String] {
        guard case .list(let value) = values[key] else { preconditionFailure("no list \(key)") }
        return value
    }

    /// All settings with their values and origins in the table's order, but for those named as
    /// secret, for `--print-config`.
    package func printed(without secret: Set<String> = []) -> String {
        table.settings.map { setting in
            let origin = origins[setting.key] ?? "default"
            guard !secret.contains(setting.key), let value = values[setting.key] else {
                return "\(setting.key): (not shown)  # \(origin)"
            }
            let text = String(decoding: JSON.compact(value.document), as: UTF8.self)
            return "\(setting.key): \(text)  # \(origin)"
        }.joined(separator: "\n")
    }
}
