package import Wire

/// All inbound rules of one destination as one object, as Consul's configuration entry has them.
package struct IntentionEntry: Hashable, Sendable {
    /// The most sources of one entry.
    package static let sourcesMax = 1024

    /// What the rules protect.
    package let destination: ServicePattern
    /// One rule for each source, in the order in which they were written.
    package let intentions: [Intention]

    /// Reads `name`, `sources` and `meta`, and checks them as the API does before it stores them.
    package init(reading value: FieldValue) throws(FieldError) {
        self = try value.map { reader throws(FieldError) in
            let destination = try reader.required("name").servicePattern()
            let meta = try reader.stringMap("meta")
            var sources: Set<ServicePattern> = []
            let intentions = try reader.list("sources", limit: Self.sourcesMax) {
                element throws(FieldError) in
                let rule = try Self.rule(reading: element, destination: destination, meta: meta)
                guard sources.insert(rule.source).inserted else {
                    throw element.error("the source is given twice", hint: "keep one of them")
                }
                return rule
            }
            guard !intentions.isEmpty else {
                throw value.error("there is no source", hint: "add at least one to sources")
            }
            return IntentionEntry(destination: destination, intentions: intentions)
        }
    }

    private init(destination: ServicePattern, intentions: [Intention]) {
        self.destination = destination
        self.intentions = intentions
    }

    private static func rule(
        reading value: FieldValue,
        destination: ServicePattern,
        meta: [String: String]
    ) throws(FieldError) -> Intention {
        let rule = try value.map { reader throws(FieldError) in
            Intention(
                id: .unassigned,
                source: try reader.required("name").servicePattern(),
                destination: destination,
                effect: try Intention.Effect(from: &reader, at: value),
                description: try reader.optionalString("description") ?? "",
                meta: meta
            )
        }
        try value.check(rule.validate)
        return rule
    }
}
