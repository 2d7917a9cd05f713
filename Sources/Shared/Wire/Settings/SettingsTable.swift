/// All settings of one program, and the one way to read them: flag, then environment, then file,
/// then the fallback.
package struct SettingsTable: Sendable {
    /// First part of the environment variables.
    package let prefix: String
    package let settings: [Setting]

    /// A table; two settings with one key are our own bug.
    package init(prefix: String, _ settings: [Setting]) {
        self.prefix = prefix
        self.settings = settings
        precondition(Set(settings.map(\.key)).count == settings.count, "a setting stands twice")
    }

    /// Reads all sources.
    ///
    /// `arguments` are the flags after the verb, `--name value` or `--name=value`; a boolean flag
    /// may stand alone. Anything else among them is refused. Variables that no setting names are
    /// left alone: the environment belongs to everybody.
    package func resolve(
        file: Document?,
        fileName: String,
        arguments: [String],
        environment: [String: String]
    ) throws(SettingsError) -> ResolvedSettings {
        var values: [String: SettingValue] = [:]
        var origins: [String: String] = [:]
        for setting in settings {
            values[setting.key] = try value(of: setting, text: setting.fallback, from: "default")
        }
        if let file {
            try read(file, under: "", fileName: fileName, into: &values, &origins)
        }
        for setting in settings {
            let variable = setting.variable(prefix: prefix)
            guard let text = environment[variable] else { continue }
            values[setting.key] = try value(of: setting, text: text, from: variable)
            origins[setting.key] = variable
        }
        for (setting, text) in try flags(in: arguments) {
            values[setting.key] = try value(of: setting, text: text, from: setting.flag)
            origins[setting.key] = setting.flag
        }
        return ResolvedSettings(table: self, values: values, origins: origins)
    }

    /// The flags with their fallbacks, one line each, for `--help`.
    package var help: String {
        let width = settings.map(\.flag.count).max() ?? 0
        return settings.map { setting in
            let padding = String(repeating: " ", count: width - setting.flag.count)
            let fallback = setting.fallback.isEmpty ? "" : " [\(setting.fallback)]"
            return "  \(setting.flag)\(padding)  \(setting.summary)\(fallback)"
        }.joined(separator: "\n")
    }

    private func value(
        of setting: Setting,
        text: String,
        from origin: String
    ) throws(SettingsError) -> SettingValue {
        let document =
            setting.kind == .list
            ? Document(
                .list(
                    text.split(separator: ",").map { item in
                        Document(.plain(String(item.drop { $0 == " " })))
                    }
                )
            )
            : Document(.plain(text))
        do {
            return try SettingValue(FieldValue(document, path: setting.key), as: setting.kind)
        } catch {
            throw SettingsError(origin: origin, problem: error.problem, hint: error.hint)
        }
    }

    private func read(
        _ document: Document,
        under parent: String,
        fileName: String,
        into values: inout [String: SettingValue],
        _ origins: inout [String: String]
    ) throws(SettingsError) {
        guard let entries = document.entries else {
            if document.isNull { return }
            throw SettingsError(
                origin: "\(fileName):\(document.position)",
                problem: "\(parent.isEmpty ? "the file" : parent) is not a map of settings",
                hint: "write `name: value` lines"
            )
        }
        for entry in entries {
            let key = parent.isEmpty ? entry.key : "\(parent).\(entry.key)"
            let origin = "\(fileName):\(entry.value.position)"
            if let setting = settings.first(where: { $0.key == key }) {
                if entry.value.isNull { continue }
                do {
                    let field = FieldValue(entry.value, path: key)
                    values[key] = try SettingValue(field, as: setting.kind)
                } catch {
                    throw SettingsError(
                        origin: origin,
                        problem: "\(error.path): \(error.problem)",
                        hint: error.hint
                    )
                }
                origins[key] = origin
            } else if settings.contains(where: { $0.key.hasPrefix(key + ".") }) {
                try read(entry.value, under: key, fileName: fileName, into: &values, &origins)
            } else {
                let known = settings.map(\.key).filter { parentKey(of: $0) == parent }
                throw SettingsError(
                    origin: "\(fileName):\(entry.keyPosition)",
                    problem: "there is no setting `\(key)`",
                    hint: "known here: \(known.joined(separator: ", "))"
                )
            }
        }
    }

    private func parentKey(of key: String) -> String {
        key.split(separator: ".").dropLast().joined(separator: ".")
    }

    private func flags(in arguments: [String]) throws(SettingsError) -> [(Setting, String)] {
        var found: [(Setting, String)] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let name = String(parts.first ?? "")
            guard let setting = settings.first(where: { $0.flag == name }) else {
                throw SettingsError(
                    origin: Text.isPrintable(name) ? name : "an argument",
                    problem: "there is no such flag",
                    hint: "`--help` lists them"
                )
            }
            if parts.count == 2 {
                found.append((setting, String(parts[1])))
            } else if setting.kind == .boolean {
                found.append((setting, "true"))
            } else if let text = rest.popFirst() {
                found.append((setting, text))
            } else {
                throw SettingsError(
                    origin: name,
                    problem: "the flag has no value",
                    hint: "write \(name) VALUE"
                )
            }
        }
        return found
    }
}
