import Postgres
import Testing

@Suite struct SQLTests {
    @Test func literalStaysAsItIs() {
        let statement: SQL = "SELECT 1"
        #expect(statement.text == "SELECT 1")
        #expect(statement.parameters.isEmpty)
    }

    @Test func interpolationsBecomeParameters() {
        let name = "a'; DROP TABLE t; --"
        let statement: SQL = "SELECT * FROM t WHERE name = \(name) AND id > \(7)"
        #expect(statement.text == "SELECT * FROM t WHERE name = $1 AND id > $2")
        #expect(statement.parameters == [name.postgresValue, 7.postgresValue])
    }

    @Test func fragmentsAreRenumbered() {
        let condition: SQL = "a = \(1) OR b = \("x")"
        let statement: SQL = "SELECT \(true) WHERE (\(fragment: condition)) AND c = \(2)"
        #expect(statement.text == "SELECT $1 WHERE (a = $2 OR b = $3) AND c = $4")
        #expect(statement.parameters.count == 4)
        #expect(statement.parameters.last == 2.postgresValue)
    }

    @Test func fragmentsAreJoined() {
        let parts: [SQL] = ["a = \(1)", "b = \(2)", "TRUE"]
        let statement: SQL = "WHERE \(fragment: .joined(parts, separator: " AND "))"
        #expect(statement.text == "WHERE a = $1 AND b = $2 AND TRUE")
    }

    @Test func missingValuesKeepTheirType() {
        let nothing: Int? = nil
        let statement: SQL = "SELECT \(nothing)"
        #expect(statement.parameters == [PostgresValue(type: .int8, bytes: nil)])
    }

    @Test func descriptionsHideValues() {
        let statement: SQL = "SELECT \("hunter2")"
        #expect(!"\(statement)".contains("hunter2"))
        #expect(!"\(statement.parameters)".contains("hunter2"))
        var dumped = ""
        dump(statement.parameters, to: &dumped)
        #expect(!dumped.contains("104"))
    }
}
