import Foundation
import Postgres
import Store
import Support
import Testing

/// A server of version 0.1.0 works on today's schema, and so do the queries of that time.
///
/// `Tests/Frozen/0.1.0/schema.txt` is what that version's migrations made; it never changes.
@Suite(.timeLimit(.minutes(10))) struct FrozenSchemaTests {
    /// One line for each column, function and right, in one spelling.
    private static let inventory: SQL = """
        SELECT line FROM (
            SELECT 'column ' || table_schema || '.' || table_name || '.' || column_name || ' '
                || udt_name || CASE is_nullable WHEN 'YES' THEN ' null' ELSE ' not_null' END
                || CASE WHEN column_default IS NOT NULL OR is_identity = 'YES'
                    OR is_generated = 'ALWAYS' THEN ' default' ELSE '' END AS line
            FROM information_schema.columns WHERE table_schema IN ('turnpike', 'dashboard')
            UNION ALL
            SELECT 'function ' || n.nspname || '.' || p.proname || '('
                || pg_get_function_identity_arguments(p.oid) || ') '
                || pg_get_function_result(p.oid)
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname IN ('turnpike', 'dashboard') AND p.prokind = 'f'
                AND pg_get_function_result(p.oid) <> 'trigger'
            UNION ALL
            SELECT 'grant ' || grantee || ' ' || privilege_type || ' ' || table_schema || '.'
                || table_name
            FROM information_schema.role_table_grants
            WHERE grantee IN ('turnpike_runtime', 'turnpike_dashboard')
        ) AS lines ORDER BY line
        """

    private static func frozen() throws -> [String] {
        let file = Repository.frozen("0.1.0").appending(path: "schema.txt")
        return try String(contentsOf: file, encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    private static func current() async throws -> [String] {
        try await TestDatabase.withMigrated { database in
            let connection = try await database.connect()
            let lines: [String] = try await connection.query(inventory).column()
            await connection.close()
            return lines
        }
    }

    @Test func nothingThatThatVersionUsesIsGone() async throws {
        let frozen = try Self.frozen()
        #expect(frozen.count > 200)
        #expect(Set(frozen).subtracting(try await Self.current()) == [])
    }

    /// What that version inserts names only the columns that it knows.
    @Test func newColumnsOfItsTablesNeedNoValue() async throws {
        let columns = { (lines: [String]) in lines.filter { $0.hasPrefix("column turnpike.") } }
        let table = { (line: String) in
            line.split(separator: " ")[1].split(separator: ".").dropLast().joined(separator: ".")
        }
        let frozen = columns(try Self.frozen())
        let tables = Set(frozen.map(table))
        let demanding = columns(try await Self.current()).filter { line in
            tables.contains(table(line)) && !frozen.contains(line)
                && line.contains(" not_null") && !line.hasSuffix(" default")
        }
        #expect(demanding == [])
    }
}
