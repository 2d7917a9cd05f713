package import Wire

extension AccessPolicy {
    /// Reads `name` and `paths`, a map from globs to lists of capabilities.
    init(from reader: inout FieldReader, at value: FieldValue) throws(FieldError) {
        let name = try reader.string("name")
        var rules: [Rule] = []
        let paths = try reader.required("paths")
        for (glob, capabilities) in try paths.entries(limit: Self.rulesMax) {
            var granted: Set<Capability> = []
            for element in try capabilities.list(limit: Capability.allCases.count) {
                granted.insert(try element.choice(as: Capability.self))
            }
            rules.append(
                Rule(path: try Self.path(glob, at: capabilities), capabilities: granted)
            )
        }
        do {
            try self.init(name: name, rules: rules)
        } catch {
            throw value.error("\(error)", hint: "correct \(error.field)")
        }
    }

    /// The policy in its REST form.
    package var document: Document {
        let paths = rules.map { rule in
            (rule.path.text, Document.list(rule.capabilities.sorted().map(\.rawValue)))
        }
        return .fields([
            "name": .string(name),
            "paths": .map(Dictionary(paths) { first, _ in first }),
        ])
    }

    private static func path(_ text: String, at value: FieldValue) throws(FieldError) -> PathGlob {
        do {
            return try PathGlob(text)
        } catch {
            throw value.error("the path \(error)", hint: "'+' is one segment, '*' a rest")
        }
    }
}
