package import Wire

/// A resource of a file and where it stands there.
package struct FiledResource: Equatable, Sendable {
    package let resource: Resource
    /// The file's name, for errors.
    package let source: String
    package let position: SourcePosition

    package init(resource: Resource, source: String, position: SourcePosition) {
        self.resource = resource
        self.source = source
        self.position = position
    }

    /// Reads one document of a file.
    ///
    /// Throws what is wrong with it, with file, line and column.
    package init(reading document: Document, source: String) throws(FileProblem) {
        do throws(FieldError) {
            let resource = try Resource(reading: FieldValue(document))
            self.init(resource: resource, source: source, position: document.position)
        } catch {
            throw FileProblem(error, in: document, source: source)
        }
    }

    /// What a complaint about a field of it says, in terms of the file.
    package func located(_ rest: String) -> String {
        let field = rest.hasPrefix(".") ? String(rest.dropFirst()) : rest
        return "\(source):\(position.line): \(field)"
    }

    /// Replaces `resources[3]` at the beginning of a problem by the place in the file.
    package static func located(_ problem: String, _ filed: [FiledResource]) -> String {
        let prefix = "resources["
        guard problem.hasPrefix(prefix), let end = problem.firstIndex(of: "]"),
            let index = Int(problem[..<end].dropFirst(prefix.count)), filed.indices.contains(index)
        else { return problem }
        return filed[index].located(String(problem[problem.index(after: end)...]))
    }
}

/// One thing that is wrong with a file that people wrote: where, what, and what would be right.
package struct FileProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// A wrong field of one document.
    package init(_ error: FieldError, in document: Document, source: String) {
        let place = error.position == .none ? document.position : error.position
        let field = error.path.isEmpty ? "" : "\(error.path): "
        description = "\(source):\(place): \(field)\(error.problem); \(error.hint)"
    }
}
