import Reactor
import Wire

/// The settings' flags as a list, for `help`.
enum SettingsTableText {
    static let agent = SettingsTable.agent.help
}

/// What stands behind a command: its own flags, taken out, and the rest.
struct CommandArguments {
    private(set) var rest: [String]

    init(_ arguments: [String]) {
        rest = arguments
    }

    /// Takes `--name VALUE` or `--name=VALUE` out.
    mutating func takeValue(_ name: String) throws(StartFailure) -> String? {
        if let index = rest.firstIndex(where: { $0.hasPrefix(name + "=") }) {
            return String(rest.remove(at: index).dropFirst(name.count + 1))
        }
        guard let index = rest.firstIndex(of: name) else { return nil }
        guard rest.indices.contains(index + 1) else {
            throw .usage("\(name) has no value; write \(name) VALUE")
        }
        let value = rest.remove(at: index + 1)
        rest.remove(at: index)
        return value
    }

    /// Takes `--name` out; true if it was there.
    mutating func takeFlag(_ name: String) -> Bool {
        guard let index = rest.firstIndex(of: name) else { return false }
        rest.remove(at: index)
        return true
    }
}

/// The environment that the process was started with.
enum ProcessEnvironment {
    /// Read from the kernel's own record, so that no pointer is needed.
    static var variables: [String: String] {
        guard let bytes = try? FileSystem.read("/proc/self/environ", byteCountMax: 4 << 20) else {
            return [:]
        }
        var variables: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            variables[name] = String(decoding: entry[(equals + 1)...], as: UTF8.self)
        }
        return variables
    }
}

/// What the process was started with, without its own name.
enum ProcessArguments {
    /// As Swift finds them beside the environment, or else from the kernel's own record.
    ///
    /// A preloaded library that sets a variable moves the environment away.
    static var all: [String] {
        let found = CommandLine.arguments
        guard found.isEmpty,
            let line = try? FileSystem.read("/proc/self/cmdline", byteCountMax: 1 << 20)
        else { return Array(found.dropFirst()) }
        return list(commandLine: line)
    }

    /// The arguments in the kernel's form: each ends with a zero byte, the program's name is first.
    static func list(commandLine: [UInt8]) -> [String] {
        commandLine.split(separator: 0, omittingEmptySubsequences: false)
            .dropFirst().dropLast()
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
