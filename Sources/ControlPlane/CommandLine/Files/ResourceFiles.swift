import Mesh
import Reactor
import Wire

/// Reads the files that people write, so that every mistake is told by file, line and column
/// before anything is sent.
struct ResourceFiles {
    let readInput: @Sendable () -> [UInt8]

    private static let fileByteCountMax = 4 * 1024 * 1024
    private static let suffixes = [".yaml", ".yml", ".json"]
    private static let problemsMax = 20

    /// All resources of these files, directories, or standard input (`-`), in order.
    func load(_ paths: [String]) throws(Failure) -> [FiledResource] {
        var resources: [FiledResource] = []
        var problems: [String] = []
        for path in paths {
            for (source, bytes) in try contents(path) {
                Self.read(bytes, source, into: &resources, &problems)
            }
        }
        guard problems.isEmpty else {
            var shown = Array(problems.prefix(Self.problemsMax))
            if problems.count > shown.count {
                shown.append("and \(problems.count - shown.count) more")
            }
            throw Failure(.usage, shown, hint: "nothing was sent")
        }
        guard !resources.isEmpty else { throw .usage("the files hold no resource") }
        return resources
    }

    private func contents(
        _ path: String
    ) throws(Failure) -> [(source: String, bytes: [UInt8])] {
        if path == "-" { return [("standard input", readInput())] }
        do {
            guard let status = try FileSystem.status(path) else {
                throw Failure.usage("\(path) does not exist")
            }
            guard status.kind == .directory else { return [(path, try Self.bytes(path))] }
            let names = try FileSystem.list(path).filter { name in
                Self.suffixes.contains { name.hasSuffix($0) }
            }
            guard !names.isEmpty else {
                throw Failure.usage("\(path) holds no file ending in .yaml, .yml or .json")
            }
            let prefix = path.hasSuffix("/") ? path : path + "/"
            return try names.map { (prefix + $0, try Self.bytes(prefix + $0)) }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("\(error)")
        }
    }

    private static func bytes(_ path: String) throws(FileError) -> [UInt8] {
        try FileSystem.read(path, byteCountMax: fileByteCountMax, followsLinks: true)
    }

    private static func read(
        _ bytes: [UInt8],
        _ source: String,
        into resources: inout [FiledResource],
        _ problems: inout [String]
    ) {
        let documents: [Document]
        do {
            documents = try YAML.parse(bytes, source: source)
        } catch {
            problems.append(error.description)
            return
        }
        for document in documents {
            do {
                resources.append(try FiledResource(reading: document, source: source))
            } catch {
                problems.append(error.description)
            }
        }
    }
}
