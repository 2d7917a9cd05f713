/// The object identifier of a PostgreSQL type, as it stands in `pg_type`.
package struct PostgresType: Equatable, Hashable, Sendable {
    package let oid: UInt32

    package static let bool = PostgresType(oid: 16)
    package static let bytea = PostgresType(oid: 17)
    package static let name = PostgresType(oid: 19)
    package static let int8 = PostgresType(oid: 20)
    package static let int2 = PostgresType(oid: 21)
    package static let int4 = PostgresType(oid: 23)
    package static let text = PostgresType(oid: 25)
    package static let json = PostgresType(oid: 114)
    package static let float4 = PostgresType(oid: 700)
    package static let float8 = PostgresType(oid: 701)
    package static let boolArray = PostgresType(oid: 1000)
    package static let byteaArray = PostgresType(oid: 1001)
    package static let nameArray = PostgresType(oid: 1003)
    package static let int2Array = PostgresType(oid: 1005)
    package static let int4Array = PostgresType(oid: 1007)
    package static let textArray = PostgresType(oid: 1009)
    package static let varcharArray = PostgresType(oid: 1015)
    package static let int8Array = PostgresType(oid: 1016)
    package static let bpchar = PostgresType(oid: 1042)
    package static let varchar = PostgresType(oid: 1043)
    package static let timestamptz = PostgresType(oid: 1184)
    package static let timestamptzArray = PostgresType(oid: 1185)
    package static let void = PostgresType(oid: 2278)
    package static let uuid = PostgresType(oid: 2950)
    package static let uuidArray = PostgresType(oid: 2951)
    package static let jsonb = PostgresType(oid: 3802)

    private static let names: [PostgresType: String] = [
        .bool: "bool", .bytea: "bytea", .name: "name", .int8: "int8", .int2: "int2",
        .int4: "int4", .text: "text", .json: "json", .float4: "float4", .float8: "float8",
        .boolArray: "bool[]", .byteaArray: "bytea[]", .nameArray: "name[]",
        .int2Array: "int2[]", .int4Array: "int4[]", .textArray: "text[]",
        .varcharArray: "varchar[]", .int8Array: "int8[]", .bpchar: "char",
        .varchar: "varchar", .timestamptz: "timestamptz", .timestamptzArray: "timestamptz[]",
        .void: "void", .uuid: "uuid", .uuidArray: "uuid[]", .jsonb: "jsonb",
    ]
}

extension PostgresType: CustomStringConvertible {
    /// The type's SQL name, or its number when it is none of ours.
    package var description: String { PostgresType.names[self] ?? "type \(oid)" }
}
