import Wire

/// What an upstream port that speaks PostgreSQL to programs without a password leases for them.
package struct PostgresAccess: Hashable, Sendable {
    /// Which profile the agent leases roles of.
    package var profile: ProfileName
    /// Whether a statement that the agent does not know is refused.
    package var isStrict: Bool
    /// Whether sessions may listen to notifications.
    package var mayListen: Bool

    package init(profile: ProfileName, isStrict: Bool = false, mayListen: Bool = false) {
        self.profile = profile
        self.isStrict = isStrict
        self.mayListen = mayListen
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            profile: try reader.required("profile").profileName(),
            isStrict: try reader.optionalBool("strict") ?? false,
            mayListen: try reader.optionalBool("listen") ?? false
        )
    }

    var document: Document {
        var document = Document.fields(["profile": .string(profile.text)])
        if isStrict { document.set("strict", .bool(true)) }
        if mayListen { document.set("listen", .bool(true)) }
        return document
    }
}
