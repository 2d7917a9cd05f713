import Foundation
import Postgres
import Store
import Support
import Testing

/// docs/dashboard.md against the schema that it describes.
@Suite(.timeLimit(.minutes(10))) struct DashboardDocumentTests {
    private let text: String

    init() throws {
        let file = Repository.top.appending(path: "docs/dashboard.md")
        text = try String(contentsOf: file, encoding: .utf8)
    }

    /// `view.column` for every name in the first column of a table.
    private var documentedColumns: Set<String> {
        var view = ""
        var columns: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("## ") { view = String(line.dropFirst(3)) }
            guard line.hasPrefix("| `"), let cell = line.dropFirst(2).split(separator: "|").first
            else { continue }
            for (index, word) in cell.split(separator: "`").enumerated() where index % 2 == 0 {
                let name = word.trimmingCharacters(in: .whitespaces)
                if !name.isEmpty, name != "," { columns.insert("\(view).\(name)") }
            }
        }
        return columns
    }

    private func queries() -> [String] {
        text.components(separatedBy: "```sql\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
    }

    @Test func everyColumnIsExplainedAndNoneIsInvented() async throws {
        try await DistributionFixture.with { fixture in
            let connection = try await fixture.base.database.connect()
            let columns: [String] = try await connection.query(
                """
                SELECT table_name || '.' || column_name FROM information_schema.columns
                WHERE table_schema = 'dashboard'
                """
            ).column()
            await connection.close()
            #expect(columns.count > 80)
            #expect(documentedColumns.subtracting(columns) == [])
            #expect(Set(columns).subtracting(documentedColumns) == [])
        }
    }

    @Test func itsQueriesRunAsTheyStand() async throws {
        let queries = queries()
        #expect(queries.count >= 6)
        try await DistributionFixture.with { fixture in
            let connection = try await fixture.base.database.connect()
            try await connection.query("SET search_path = dashboard")
            for query in queries {
                let script = try #require(SQLScript(fileBytes: Array(query.utf8)))
                await #expect(throws: Never.self, "\(query)") { try await connection.run(script) }
            }
            await connection.close()
        }
    }
}
