/// One statement as it is recorded.
package struct Statement: Equatable, Sendable {
    /// Nil where there is nothing, or nothing that can be read.
    package let fingerprint: StatementFingerprint?
    package let kind: StatementClass
}

/// What a text of one or more statements does, and whether it may.
package struct StatementJudgement: Equatable, Sendable {
    /// In their order; none for a text that cannot be read.
    package let statements: [Statement]
    /// The first reason against any of them, which refuses them all.
    package let refusal: StatementRefusal?

    /// The most statements of one text.
    package static let statementsMax = 1_024

    /// Judges the text of a `Query` or `Parse` message.
    ///
    /// - Parameters:
    ///   - text: without its NUL.
    ///   - rules: the profile's.
    ///   - standardStrings: the session's `standard_conforming_strings`.
    package init(_ text: [UInt8], rules: StatementRules, standardStrings: Bool) {
        var lexer = SQLLexer(text, standardStrings: standardStrings)
        var reader = StatementReader(rules: rules)
        var shape = StatementShape()
        var statements: [Statement] = []
        var refusal: StatementRefusal?
        func end() {
            let kind = reader.finish()
            refusal = refusal ?? reader.refusal
            if !reader.isEmpty {
                statements.append(Statement(fingerprint: shape.finish(), kind: kind))
            }
            reader = StatementReader(rules: rules)
            shape = StatementShape()
        }
        do {
            while let token = try lexer.next() {
                let isEnd = token.kind == .sign && text[token.range.lowerBound] == Self.semicolon
                if isEnd, reader.depth == 0 {
                    end()
                    if statements.count > Self.statementsMax { throw SQLFault.tooManyStatements }
                } else {
                    reader.append(token, in: text)
                    shape.append(token, in: text)
                }
            }
        } catch {
            self.statements = []
            self.refusal = .unreadable
            return
        }
        end()
        if statements.isEmpty { statements.append(Statement(fingerprint: nil, kind: .empty)) }
        self.statements = statements
        self.refusal = refusal
    }

    private static let semicolon = UInt8(ascii: ";")
}

extension StatementJudgement {
    /// A text that nothing more is known of than that it is refused.
    init(refused refusal: StatementRefusal) {
        statements = []
        self.refusal = refusal
    }
}
