/// Aligned columns for people.
struct Table {
    let titles: [String]
    private(set) var rows: [[String]] = []

    private static let gap = "  "

    init(_ titles: [String]) {
        self.titles = titles
    }

    mutating func add(_ row: [String]) {
        rows.append(row.map(Terminal.line))
    }

    /// All lines, each ending in a line feed; nothing trails the last column.
    func text(indent: String = "") -> String {
        let all = [titles] + rows
        let widths = titles.indices.map { column in
            all.map { $0.indices.contains(column) ? Terminal.width($0[column]) : 0 }.max() ?? 0
        }
        return all.map { row in
            var line = indent
            for (column, cell) in row.enumerated() {
                if column > 0 { line += Self.gap }
                line += cell
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - Terminal.width(cell))
                }
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
