import DataPlane
import Reactor

// What programs and targets say in PostgreSQL's protocol, and the statements in it.
extension FuzzTarget {
    private static let rules = StatementRules(settings: ["statement_timeout"])

    static let postgres: [FuzzTarget] = [
        FuzzTarget(name: "postgres_start") { bytes in
            let whole = greet([bytes])
            guard whole == greet(pieces(bytes)) else { return "pieces are read differently" }
            guard case .start(let start) = whole.events.last else { return nil }
            return start.options.contains { rules.guarded.contains($0.name) }
                ? "a guarded option is passed on" : nil
        },
        FuzzTarget(name: "postgres_session") { bytes in
            for isTarget in [false, true] {
                let whole = pass([bytes], isTarget)
                let cut = pass(pieces(bytes), isTarget)
                guard whole.fault == cut.fault else { return "pieces are refused differently" }
                guard whole.fault == nil else { continue }
                guard whole == cut else { return "pieces are read differently" }
                guard !isTarget else { continue }
                let again = pass([whole.bytes], false)
                guard again.fault == nil, again.bytes == whole.bytes else {
                    return "what was passed on is judged differently"
                }
            }
            return nil
        },
        FuzzTarget(name: "sql") { bytes in
            for standardStrings in [true, false] {
                guard let words = words(bytes, standardStrings) else { continue }
                let judgement = judge(bytes, standardStrings)
                for blank in [" ", "/* '; */", "\t-- \"\n\t"] {
                    // A line break between strings makes one of two.
                    if blank.contains("\n"), words.contains(where: { $0.kind == .string }) {
                        continue
                    }
                    let spread = Array(
                        words.map { bytes[$0.range] }.joined(separator: Array(blank.utf8))
                    )
                    let other = judge(spread, standardStrings)
                    guard other.refusal == judgement.refusal,
                        other.statements.map(\.kind) == judgement.statements.map(\.kind)
                    else { return "what stands between words counts" }
                }
            }
            return nil
        },
    ]

    private struct Greeted: Equatable {
        var events: [PostgresGreeting.Event] = []
        var refusal: PostgresRefusal?
    }

    private static func greet(_ pieces: [[UInt8]]) -> Greeted {
        var greeting = PostgresGreeting(rules: rules)
        var greeted = Greeted()
        for piece in pieces {
            var offset = 0
            while offset < piece.count {
                do {
                    let event = try greeting.receive(piece, from: &offset)
                    switch event {
                    case .incomplete: continue
                    case .declined: greeted.events.append(event)
                    case .cancel, .start:
                        greeted.events.append(event)
                        return greeted
                    }
                } catch {
                    greeted.refusal = error
                    return greeted
                }
            }
        }
        return greeted
    }

    private struct Passed: Equatable {
        var bytes: [UInt8] = []
        var records: [StatementRecord] = []
        var fault: PostgresFault?
    }

    private static func pass(_ pieces: [[UInt8]], _ isTarget: Bool) -> Passed {
        let now = Reactor.Instant.now
        var passed = Passed()
        var session = PostgresSession(
            rules: rules,
            welcome: PostgresLogin.Welcome(),
            nonce: "0123456789abcdef"
        )
        for piece in pieces {
            do throws(PostgresFault) {
                let passage: PostgresPassage
                if isTarget {
                    passage = try session.receiveFromTarget(piece.span, at: now)
                } else {
                    passage = try session.receiveFromApplication(piece.span, at: now)
                }
                passed.bytes += passage.all(of: piece.span)
            } catch {
                passed.fault = error
                break
            }
        }
        passed.records = session.takeRecords().records
        return passed
    }

    private static func words(_ text: [UInt8], _ standardStrings: Bool) -> [SQLToken]? {
        var lexer = SQLLexer(text, standardStrings: standardStrings)
        var words: [SQLToken] = []
        do {
            while let token = try lexer.next() { words.append(token) }
        } catch {
            return nil
        }
        return words
    }

    private static func judge(_ text: [UInt8], _ standardStrings: Bool) -> StatementJudgement {
        StatementJudgement(text, rules: rules, standardStrings: standardStrings)
    }
}
