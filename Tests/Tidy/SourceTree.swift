import Foundation

/// The tree as it lies on disk, read once for all rules.
struct SourceTree: Sendable {
    /// A tracked text file that is not Swift, or Swift again as plain text.
    struct TextFile: Sendable {
        var path: String
        var text: String
    }

    static let current = SourceTree()

    let sources: [SourceFile]
    let tests: [SourceFile]
    /// Everything that a clone contains, Swift included.
    let texts: [TextFile]

    /// Folders that tools make and git ignores.
    private static let ignoredFolders: Set<String> = [".git", ".build", ".venv", "dist"]
    private static let byteCountMax = 4 * 1024 * 1024

    init() {
        let root = Self.root
        var texts: [TextFile] = []
        for path in Self.paths(under: root) {
            guard let bytes = try? Data(contentsOf: root.appending(path: path)),
                bytes.count <= Self.byteCountMax,
                let text = String(data: bytes, encoding: .utf8)
            else { continue }
            texts.append(TextFile(path: path, text: text))
        }
        self.texts = texts
        let files = texts.filter { $0.path.hasSuffix(".swift") }
        sources = files.filter { $0.path.hasPrefix("Sources/") }
            .map { SourceFile(path: $0.path, text: $0.text) }
        tests = files.filter { $0.path.hasPrefix("Tests/") }
            .map { SourceFile(path: $0.path, text: $0.text) }
    }

    func text(at path: String) -> String? {
        texts.first { $0.path == path }?.text
    }

    /// The folder that holds `Package.swift`, found upwards from this very file.
    private static var root: URL {
        var folder = URL(filePath: #filePath).resolvingSymlinksInPath()
        repeat {
            folder.deleteLastPathComponent()
            let manifest = folder.appending(path: "Package.swift")
            if FileManager.default.fileExists(atPath: manifest.path()) { break }
        } while folder.path() != "/"
        return folder
    }

    private static func paths(under root: URL) -> [String] {
        var found: [String] = []
        var open = [""]
        while let folder = open.popLast() {
            let names =
                (try? FileManager.default.contentsOfDirectory(
                    atPath: root.appending(path: folder).path()
                )) ?? []
            for name in names.sorted() where !ignoredFolders.contains(name) {
                guard !name.hasPrefix(".build-") else { continue }
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                var isFolder: ObjCBool = false
                let full = root.appending(path: path).path()
                guard FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) else {
                    continue
                }
                if isFolder.boolValue {
                    open.append(path)
                } else {
                    found.append(path)
                }
            }
        }
        return found.sorted()
    }
}
