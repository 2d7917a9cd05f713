package import Wire

extension Permission {
    /// Reads one clause: `action` and `http`.
    package init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            Permission(
                action: try reader.choice("action", as: Verdict.self),
                http: try HTTPCondition(reading: try reader.required("http"))
            )
        }
    }

    /// The clause in its REST form.
    package var document: Document {
        .fields(["action": .string(action.rawValue), "http": http.document])
    }
}

extension HTTPCondition {
    /// Reads at most one path condition, `methods` in any case, and `header`.
    package init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            let paths: [PathCondition?] = [
                try reader.optionalString("path_exact").map(PathCondition.exact),
                try reader.optionalString("path_prefix").map(PathCondition.prefix),
                try reader.optionalString("path_prefix_raw").map(PathCondition.rawPrefix),
                try reader.optionalString("path_regex").map(PathCondition.regex),
            ]
            let given = paths.compactMap { $0 }.filter { !$0.text.isEmpty }
            guard given.count <= 1 else {
                throw value.error(
                    "more than one path condition is given",
                    hint: "keep one of path_exact, path_prefix, path_prefix_raw, path_regex"
                )
            }
            return HTTPCondition(
                path: given.first,
                methods: try reader.strings("methods").map { $0.uppercased() },
                headers: try reader.list("header", limit: IntentionLimits.headersMax) {
                    header throws(FieldError) in try HeaderCondition(reading: header)
                }
            )
        }
    }

    /// The condition in its REST form.
    package var document: Document {
        var document = Document.fields([:])
        if let path { document.set(path.field, .string(path.text)) }
        if !methods.isEmpty { document.set("methods", .list(methods)) }
        if !headers.isEmpty { document.set("header", .list(headers.map(\.document))) }
        return document
    }
}

extension HeaderCondition {
    /// Reads a name and exactly one comparator; an empty text or `present: false` is none.
    package init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            let name = try reader.string("name")
            let isPresent = try reader.optionalBool("present") ?? false
            let texts: [Comparison?] = [
                isPresent ? .present : nil,
                try Self.text("exact", of: &reader).map(Comparison.exact),
                try Self.text("prefix", of: &reader).map(Comparison.prefix),
                try Self.text("suffix", of: &reader).map(Comparison.suffix),
                try Self.text("contains", of: &reader).map(Comparison.contains),
                try Self.text("regex", of: &reader).map(Comparison.regex),
            ]
            let given = texts.compactMap { $0 }
            guard given.count == 1, let comparison = given.first else {
                throw value.error(
                    "\(given.count) comparators are given",
                    hint: "give one of present, exact, prefix, suffix, contains, regex"
                )
            }
            return HeaderCondition(
                name: name,
                comparison: comparison,
                isInverted: try reader.optionalBool("invert") ?? false,
                ignoresCase: try reader.optionalBool("ignore_case") ?? false
            )
        }
    }

    /// The condition in its REST form.
    package var document: Document {
        let comparator: (name: String, value: Document) =
            switch comparison {
            case .present: ("present", true)
            case .exact(let text): ("exact", .string(text))
            case .prefix(let text): ("prefix", .string(text))
            case .suffix(let text): ("suffix", .string(text))
            case .contains(let text): ("contains", .string(text))
            case .regex(let text): ("regex", .string(text))
            }
        var document = Document.fields(["name": .string(name)])
        document.set(comparator.name, comparator.value)
        if isInverted { document.set("invert", true) }
        if ignoresCase { document.set("ignore_case", true) }
        return document
    }

    private static func text(
        _ name: String,
        of reader: inout FieldReader
    ) throws(FieldError) -> String? {
        guard let text = try reader.optionalString(name), !text.isEmpty else { return nil }
        return text
    }
}
