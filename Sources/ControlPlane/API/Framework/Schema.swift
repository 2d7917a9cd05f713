/// The shape of a request or answer, from which the OpenAPI document is written.
///
/// It describes; reading and refusing is done by the vocabulary's own decoders.
package indirect enum Schema: Equatable, Sendable {
    case string(Text)
    case integer(ClosedRange<Int>?)
    case boolean
    case list(Schema)
    /// Names to texts.
    case textMap
    case object([Field])
    /// One of several shapes.
    case either([Schema])
    /// Anything, where the shape depends on another field.
    case any

    /// What a string looks like.
    package struct Text: Equatable, Sendable {
        package var format: String?
        package var allowed: [String]?
        package var example: String?
    }

    /// One field of an object.
    package struct Field: Equatable, Sendable {
        package let name: String
        package let schema: Schema
        package let summary: String
        package let isRequired: Bool
        /// Set by the server; refused in requests.
        package let isReadOnly: Bool
    }

    /// A string, perhaps with a format, the allowed values or an example.
    package static func text(
        format: String? = nil,
        allowed: [String]? = nil,
        example: String? = nil
    ) -> Schema {
        .string(Text(format: format, allowed: allowed, example: example))
    }
}

extension Schema.Field {
    /// A field that a request must have.
    package static func required(
        _ name: String,
        _ schema: Schema,
        _ summary: String
    ) -> Schema.Field {
        Schema.Field(
            name: name,
            schema: schema,
            summary: summary,
            isRequired: true,
            isReadOnly: false
        )
    }

    /// A field that a request may leave out.
    package static func optional(
        _ name: String,
        _ schema: Schema,
        _ summary: String
    ) -> Schema.Field {
        Schema.Field(
            name: name,
            schema: schema,
            summary: summary,
            isRequired: false,
            isReadOnly: false
        )
    }

    /// A field that only answers have.
    package static func readOnly(
        _ name: String,
        _ schema: Schema,
        _ summary: String
    ) -> Schema.Field {
        Schema.Field(
            name: name,
            schema: schema,
            summary: summary,
            isRequired: false,
            isReadOnly: true
        )
    }

    /// What every stored resource carries beside its own fields.
    package static let stored: [Schema.Field] = [
        .readOnly("revision", .integer(nil), "Revision of its last change; also the entity tag"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("updated_at", .text(format: "date-time"), "When it was last changed"),
        .readOnly("created_by", .text(), "Who made it"),
    ]
}
