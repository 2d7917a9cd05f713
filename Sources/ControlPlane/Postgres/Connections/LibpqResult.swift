import CPostgres

/// One `PGresult`, freed with its last reference.
///
/// Sendable because libpq never writes to a result after handing it out, and reading it from
/// several threads is allowed (libpq documentation, "Behavior in Threaded Programs").
@safe
final class LibpqResult: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe PQclear(pointer) }

    var status: ExecStatusType { unsafe PQresultStatus(pointer) }
    var rowCount: Int { Int(unsafe PQntuples(pointer)) }
    var columnCount: Int { Int(unsafe PQnfields(pointer)) }

    /// The command tag, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { unsafe LibpqResult.text(PQcmdStatus(pointer)) ?? "" }

    /// Rows that the command touched; 0 for commands that touch none.
    var affectedCount: Int {
        unsafe LibpqResult.text(PQcmdTuples(pointer)).flatMap { Int($0) } ?? 0
    }

    func columnName(_ column: Int) -> String {
        unsafe LibpqResult.text(PQfname(pointer, Int32(column))) ?? ""
    }

    func columnType(_ column: Int) -> PostgresType {
        PostgresType(oid: unsafe PQftype(pointer, Int32(column)))
    }

    func field(_ code: Int32) -> String? {
        unsafe LibpqResult.text(PQresultErrorField(pointer, code))
    }

    /// Calls `body` with the bytes of a column, or returns nil for NULL.
    ///
    /// The caller has checked both indexes against the counts.
    func withValue<Value>(
        row: Int,
        column: Int,
        _ body: (Span<UInt8>) throws(PostgresDecodingFailure) -> Value
    ) throws(PostgresDecodingFailure) -> Value? {
        let row = Int32(row)
        let column = Int32(column)
        if unsafe PQgetisnull(pointer, row, column) != 0 { return nil }
        let count = Int(unsafe PQgetlength(pointer, row, column))
        guard let start = unsafe PQgetvalue(pointer, row, column) else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
        return try body(unsafe bytes.assumingMemoryBound(to: UInt8.self).span)
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }
}

extension LibpqResult {
    /// The server's report of a failed statement; nil when libpq itself wrote the error.
    var serverError: ServerError? {
        guard let state = field(CPOSTGRES_FIELD_STATE) else { return nil }
        return ServerError(
            state: SQLState(code: state),
            message: field(CPOSTGRES_FIELD_MESSAGE),
            schema: field(CPOSTGRES_FIELD_SCHEMA),
            table: field(CPOSTGRES_FIELD_TABLE),
            column: field(CPOSTGRES_FIELD_COLUMN),
            constraint: field(CPOSTGRES_FIELD_CONSTRAINT),
            // The code, "feature not supported", says it too broadly and the message depends on
            // the server's language.
            isStalePlan: state == SQLState.featureNotSupported.code
                && field(CPOSTGRES_FIELD_FUNCTION) == "RevalidateCachedQuery"
        )
    }

    /// Whether the server ends the connection after this report.
    var isFatal: Bool {
        let severity = field(CPOSTGRES_FIELD_SEVERITY)
        return severity == "FATAL" || severity == "PANIC"
    }
}
