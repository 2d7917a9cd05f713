import Reactor

/// What the control groups of this process allow it to occupy (cgroups(7), versions 1 and 2).
enum ControlGroupMemory {
    /// What stands for no limit in version 1, and more than any machine has.
    private static let unlimited = 1 << 50
    /// Longer paths and files than any real one.
    private static let fileBytesMax = 64 << 10

    /// The smallest limit of the groups that this process is in; nil without one.
    static func limit() -> Int? {
        limit { path in
            (try? FileSystem.read(path, byteCountMax: fileBytesMax))
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// `read` gives the text of a file, or nil where there is none.
    static func limit(_ read: (String) -> String?) -> Int? {
        let groups = (read("/proc/self/cgroup") ?? "").split(separator: "\n")
        return groups.flatMap { files(of: $0) }.compactMap { file in
            let text = read(file)?.prefix { $0 != "\n" }
            return text.flatMap { Int($0) }.flatMap { (1..<unlimited).contains($0) ? $0 : nil }
        }.min()
    }

    /// The files that limit a group and those above it.
    ///
    /// A container sees its own group as the top: then only the last of them is there.
    private static func files(of line: Substring) -> [String] {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return [] }
        let places: [(folder: String, name: String)]
        if fields[0] == "0", fields[1].isEmpty {
            places = [
                ("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/unified", "memory.max"),
            ]
        } else if fields[1].split(separator: ",").contains("memory") {
            places = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
        } else {
            return []
        }
        var segments = fields[2].split(separator: "/")
        if segments.contains("..") { segments = [] }
        return (0...segments.count).reversed().flatMap { depth in
            places.map { place in
                ([place.folder] + segments.prefix(depth).map(String.init) + [place.name])
                    .joined(separator: "/")
            }
        }
    }
}
