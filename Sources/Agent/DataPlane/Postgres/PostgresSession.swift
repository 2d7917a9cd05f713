package import Reactor

/// One open session between a program and a target: judges what the program says, observes what the
/// target answers.
///
/// A refused statement goes on as one that no server can read, with a word in it that nobody can guess:
/// so the target itself ends the transaction, keeps the order of answers and skips to the next `Sync`,
/// and only the text of its error is replaced. Nothing of the refused statement leaves the host.
package struct PostgresSession: Sendable {
    private enum Pending: Sendable {
        case statement(Statement, Reactor.Instant)
        /// Something unreadable went in place of a statement.
        case refused(StatementRefusal)
        /// A `ReadyForQuery` will come, asked for by `Sync` or by a statement of its own.
        case boundary(isSync: Bool)
    }

    private let rules: StatementRules
    /// What stands for a refused statement.
    private let refusalWord: [UInt8]
    private var fromApplication = PostgresFraming(.application)
    private var fromTarget = PostgresFraming(.target)
    private var dropsRest = false
    private var isSkipping = false
    private var prepared: [[UInt8]: Statement] = [:]
    private var portals: [[UInt8]: Statement] = [:]
    private var pending: [Pending] = []
    private var pendingStart = 0
    private var standardStrings = true
    private var isEncodingSafe = true
    /// Whether a copy goes on, and whether the target takes its data and nothing else.
    private var isCopying = false
    private var takesCopy = false
    private var records: [StatementRecord] = []
    private var lostRecords = 0

    /// What the latest `ReadyForQuery` said.
    package private(set) var transaction = TransactionState.idle
    /// Whether the program said goodbye.
    package private(set) var hasTerminated = false

    /// A session that is ready for its first statement.
    ///
    /// - Parameters:
    ///   - rules: the profile's.
    ///   - welcome: what the target said.
    ///   - nonce: letters and digits that were never used, at least 16.
    package init(rules: StatementRules, welcome: PostgresLogin.Welcome, nonce: String) {
        self.rules = rules
        refusalWord = Array("turnpike_refused_\(nonce)".utf8)
        for (name, value) in welcome.parameters { noteParameter(name, value) }
    }

    /// Whether so much waits for answers that the program should be read no further.
    package var isFull: Bool { pending.count - pendingStart >= PostgresLimits.pendingMax }

    /// Whether the session can be ended without anybody losing anything.
    package var isIdle: Bool {
        transaction == .idle && pendingStart == pending.count && !isSkipping && !isCopying
            && fromApplication.isBetweenMessages && fromTarget.isBetweenMessages
    }

    /// What the program is told when the session ends because its lease does, or for another reason;
    /// nothing in the middle of a message.
    package func farewell(
        _ message: String = "the session's lease has ended: connect again"
    ) -> [UInt8] {
        guard fromTarget.isBetweenMessages else { return [] }
        return PostgresWriting.error(isFatal: true, sqlState: "57P01", message: message)
    }

    /// The records since the last call, and how many there was no room for.
    package mutating func takeRecords() -> (records: [StatementRecord], lost: Int) {
        defer {
            records = []
            lostRecords = 0
        }
        return (records, lostRecords)
    }

    private mutating func record(
        _ statement: Statement?,
        _ outcome: StatementRecord.Outcome,
        _ duration: Duration = .zero
    ) {
        guard records.count < PostgresLimits.recordsMax else {
            lostRecords += 1
            return
        }
        records.append(
            StatementRecord(
                fingerprint: statement?.fingerprint,
                kind: statement?.kind ?? .unknown,
                outcome: outcome,
                duration: duration
            )
        )
    }

    private mutating func noteParameter(_ name: String, _ value: String) {
        switch name {
        case "standard_conforming_strings": standardStrings = value == "on"
        case "client_encoding": isEncodingSafe = ClientEncoding.isSafe(value)
        default: break
        }
    }
}

// From the program.
extension PostgresSession {
    /// Judges what the program sent, and gives what goes on to the target.
    package mutating func receiveFromApplication(
        _ input: Span<UInt8>,
        at now: Reactor.Instant
    ) throws(PostgresFault) -> PostgresPassage {
        var passage = PostgresPassage()
        var offset = 0
        while !hasTerminated {
            switch try fromApplication.next(in: input, from: &offset) {
            case .incomplete: return passage
            case .rest(let range): if !dropsRest { passage.pass(range, of: input) }
            case .message(let message):
                dropsRest = false
                switch try judge(message, at: now) {
                case .pass: passage.pass(message, of: input)
                case .drop: dropsRest = true
                case .replace(let bytes):
                    dropsRest = true
                    passage.put(bytes, over: input)
                }
            }
        }
        return passage
    }

    private enum Ruling {
        case pass
        case drop
        case replace([UInt8])
    }

    private mutating func judge(
        _ message: PostgresMessage,
        at now: Reactor.Instant
    ) throws(PostgresFault) -> Ruling {
        switch message.type {
        case UInt8(ascii: "X"):
            hasTerminated = true
            return .pass
        case UInt8(ascii: "S"):
            isSkipping = false
            // In the middle of a copy it is not answered.
            if !takesCopy { pending.append(.boundary(isSync: true)) }
            return .pass
        case _ where isSkipping: return .drop
        case UInt8(ascii: "Q"): return try judgeQuery(message, at: now)
        case UInt8(ascii: "P"): return try judgeParse(message)
        case UInt8(ascii: "F"):
            refuse([Statement(fingerprint: nil, kind: .routine)], .functionCall)
            pending.append(.boundary(isSync: false))
            return .replace(query)
        case UInt8(ascii: "B"): try noteBind(message)
        case UInt8(ascii: "E"):
            let name = try name(in: message, rest: 4)
            let statement = portals[name] ?? Statement(fingerprint: nil, kind: .unknown)
            pending.append(.statement(statement, now))
        case UInt8(ascii: "C"): try noteClose(message)
        case UInt8(ascii: "c"), UInt8(ascii: "f"): takesCopy = false
        default: break
        }
        return .pass
    }

    private mutating func judgeQuery(
        _ message: PostgresMessage,
        at now: Reactor.Instant
    ) throws(PostgresFault) -> Ruling {
        guard message.head.last == 0, let end = message.head.firstIndex(of: 0),
            end == message.head.count - 1
        else { throw .malformed(message.type) }
        let judgement = judge(Array(message.head[..<end]))
        if let refusal = judgement.refusal {
            refuse(judgement.statements, refusal)
            pending.append(.boundary(isSync: false))
            return .replace(query)
        }
        for statement in judgement.statements { pending.append(.statement(statement, now)) }
        pending.append(.boundary(isSync: false))
        return .pass
    }

    private mutating func judgeParse(
        _ message: PostgresMessage
    ) throws(PostgresFault) -> Ruling {
        let body = message.head
        guard let nameEnd = body.firstIndex(of: 0), nameEnd <= PostgresLimits.nameByteCountMax,
            let textEnd = body[(nameEnd + 1)...].firstIndex(of: 0), textEnd + 2 < body.count
        else { throw .malformed(message.type) }
        let count = Int(body[textEnd + 1]) << 8 | Int(body[textEnd + 2])
        guard body.count == textEnd + 3 + 4 * count else { throw .malformed(message.type) }
        let judgement = judge(Array(body[(nameEnd + 1)..<textEnd]))
        if let refusal = judgement.refusal {
            refuse(judgement.statements, refusal)
            isSkipping = true
            return .replace(PostgresWriting.message("P", [0] + refusalWord + [0, 0, 0]))
        }
        let name = Array(body[..<nameEnd])
        let hasRoom = prepared.count < PostgresLimits.namesMax || prepared[name] != nil
        prepared[name] = hasRoom ? judgement.statements.first : nil
        return .pass
    }

    private func judge(_ text: [UInt8]) -> StatementJudgement {
        guard isEncodingSafe else { return StatementJudgement(refused: .encoding) }
        return StatementJudgement(text, rules: rules, standardStrings: standardStrings)
    }

    /// What no server can read, in place of a refused `Query`.
    private var query: [UInt8] { PostgresWriting.message("Q", refusalWord + [0]) }

    private mutating func refuse(_ statements: [Statement], _ refusal: StatementRefusal) {
        pending.append(.refused(refusal))
        if statements.isEmpty { record(nil, .refused(refusal)) }
        for statement in statements { record(statement, .refused(refusal)) }
    }

    private mutating func noteBind(_ message: PostgresMessage) throws(PostgresFault) {
        let limit = PostgresLimits.nameByteCountMax
        guard let portalEnd = message.head.firstIndex(of: 0), portalEnd <= limit,
            let nameEnd = message.head[(portalEnd + 1)...].firstIndex(of: 0),
            nameEnd - portalEnd - 1 <= limit
        else { throw .malformed(message.type) }
        let portal = Array(message.head[..<portalEnd])
        let statement = prepared[Array(message.head[(portalEnd + 1)..<nameEnd])]
        let hasRoom = portals.count < PostgresLimits.namesMax || portals[portal] != nil
        portals[portal] = hasRoom ? statement : nil
    }

    private mutating func noteClose(_ message: PostgresMessage) throws(PostgresFault) {
        guard let kind = message.head.first else { throw .malformed(message.type) }
        let name = Array(message.head.dropFirst().dropLast())
        switch kind {
        case UInt8(ascii: "S"): prepared[name] = nil
        case UInt8(ascii: "P"): portals[name] = nil
        default: throw .malformed(message.type)
        }
    }

    private func name(
        in message: PostgresMessage,
        rest: Int
    ) throws(PostgresFault) -> [UInt8] {
        guard let end = message.head.firstIndex(of: 0), message.head.count == end + 1 + rest else {
            throw .malformed(message.type)
        }
        return Array(message.head[..<end])
    }
}

// From the target.
extension PostgresSession {
    /// Observes what the target sent, and gives what goes on to the program.
    package mutating func receiveFromTarget(
        _ input: Span<UInt8>,
        at now: Reactor.Instant
    ) throws(PostgresFault) -> PostgresPassage {
        var passage = PostgresPassage()
        var offset = 0
        while true {
            switch try fromTarget.next(in: input, from: &offset) {
            case .incomplete: return passage
            case .rest(let range): passage.pass(range, of: input)
            case .message(let message):
                if let replacement = try observe(message, at: now) {
                    passage.put(replacement, over: input)
                } else {
                    passage.pass(message, of: input)
                }
            }
        }
    }

    private mutating func observe(
        _ message: PostgresMessage,
        at now: Reactor.Instant
    ) throws(PostgresFault) -> [UInt8]? {
        switch message.type {
        case UInt8(ascii: "C"):
            isCopying = false
            complete(.done(rows: CommandTag.rows(message.head)), at: now)
        // What is suspended may be executed further, which counts again.
        case UInt8(ascii: "I"), UInt8(ascii: "s"): complete(.done(rows: nil), at: now)
        case UInt8(ascii: "G"): beginCopyIn()
        case UInt8(ascii: "H"): isCopying = true
        case UInt8(ascii: "E"): return fail(message, at: now)
        case UInt8(ascii: "S"):
            guard let parameter = PostgresParameter(message.head) else {
                throw .malformed(message.type)
            }
            noteParameter(parameter.name, parameter.value)
        case UInt8(ascii: "Z"):
            guard let state = message.head.first.flatMap(TransactionState.init(rawValue:)) else {
                throw .malformed(message.type)
            }
            transaction = state
            isCopying = false
            takesCopy = false
            if state == .idle { portals = [:] }
            skipPending(through: true)
        case UInt8(ascii: "R"), UInt8(ascii: "K"): throw .unexpectedMessage(message.type)
        default: break
        }
        return nil
    }

    /// From here on the target takes data only, and does not answer a `Sync` that came before it.
    private mutating func beginCopyIn() {
        isCopying = true
        takesCopy = true
        let next = pendingStart + 1
        if next < pending.count, case .boundary(isSync: true) = pending[next] {
            pending.remove(at: next)
        }
    }

    private mutating func complete(
        _ outcome: StatementRecord.Outcome,
        at now: Reactor.Instant
    ) {
        guard pendingStart < pending.count,
            case .statement(let statement, let start) = pending[pendingStart]
        else { return }
        pendingStart += 1
        trimPending()
        record(statement, outcome, start.duration(to: now))
    }

    /// Notes an error, after which the target does nothing more of this round.
    ///
    /// Gives the text that stands for its own, where the error is that of a refused statement.
    private mutating func fail(
        _ message: PostgresMessage,
        at now: Reactor.Instant
    ) -> [UInt8]? {
        isCopying = false
        takesCopy = false
        let fields = PostgresErrorFields(message.head)
        guard message.restByteCount == 0, Self.holds(fields.message, refusalWord),
            let refusal = nextRefusal
        else {
            complete(.failed(sqlState: fields.sqlState), at: now)
            skipPending(through: false)
            return nil
        }
        skipPending(through: false)
        return PostgresWriting.error(
            isFatal: false,
            sqlState: refusal.sqlState,
            message: "refused by the agent: \(refusal.message)"
        )
    }

    /// What was refused in the round that the target answers now.
    private var nextRefusal: StatementRefusal? {
        for item in pending[pendingStart...] {
            switch item {
            case .refused(let refusal): return refusal
            case .boundary: return nil
            case .statement: continue
            }
        }
        return nil
    }

    private static func holds(_ text: [UInt8], _ word: [UInt8]) -> Bool {
        guard let first = word.first else { return false }
        return text.indices.contains { index in
            text[index] == first && text[index...].starts(with: word)
        }
    }

    /// Forgets what the target will not answer any more, up to the end of its round.
    private mutating func skipPending(through boundary: Bool) {
        while pendingStart < pending.count {
            if case .boundary = pending[pendingStart] {
                if boundary { pendingStart += 1 }
                break
            }
            pendingStart += 1
        }
        trimPending()
    }

    private mutating func trimPending() {
        guard pendingStart == pending.count || pendingStart > PostgresLimits.pendingMax else {
            return
        }
        pending.removeFirst(pendingStart)
        pendingStart = 0
    }
}
