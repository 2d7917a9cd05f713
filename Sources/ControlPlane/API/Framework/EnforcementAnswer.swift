import Wire

extension APIServices.Enforcement {
    /// What `wait=enforced` adds to an answer, as the OpenAPI document describes it.
    static let schema: Schema = .object([
        .readOnly("revision", .integer(nil), "The revision that was waited for"),
        .readOnly("acknowledged", .list(.text()), "Live agents that enforce it"),
        .readOnly("pending", .list(.text()), "Live agents that do not yet"),
        .readOnly(
            "cannot_enforce",
            .list(.text()),
            "Live agents that are too old to do what the change asks for, and will not"
        ),
        .readOnly("complete", .boolean, "Whether every live agent that is concerned enforces it"),
        .readOnly("milliseconds", .integer(nil), "From the commit to the last acknowledgement"),
    ])

    /// The field `enforced`; whoever cannot do what the change asks for has not enforced it, although
    /// it acknowledged the revision.
    func document(besides cannotEnforce: [String]) -> Document {
        let cannot = Set(cannotEnforce)
        return .fields([
            "revision": .number(Int(revision)),
            "acknowledged": .list(acknowledged.filter { !cannot.contains($0) }),
            "pending": .list(pending.filter { !cannot.contains($0) }),
            "cannot_enforce": .list(cannotEnforce),
            "complete": .bool(isComplete && cannot.isEmpty),
            "milliseconds": elapsed.map { .number($0.nanosecondsClamped / 1_000_000) },
        ])
    }
}
