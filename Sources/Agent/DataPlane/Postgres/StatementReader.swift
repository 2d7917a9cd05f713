/// Reads one statement word by word for what no lease may do.
struct StatementReader {
    /// One of the first words, as rules compare it.
    struct Word: Equatable {
        let kind: SQLToken.Kind
        /// Words and names in lower case, the value of a plain string, a sign; nil where it cannot be
        /// told.
        let text: String?

        static func word(_ text: String) -> Word { Word(kind: .word, text: text) }
        static func sign(_ text: String) -> Word { Word(kind: .sign, text: text) }
    }

    /// What a `COPY` was seen to say so far.
    private enum Copy {
        case awaitingDirection
        case awaitingEnd(StatementClass)
        case done(StatementClass)
        case refused
    }

    /// Where the reader is within a call of `set_config`.
    private enum Call {
        case none
        case awaitingName
        case awaitingComma(String)
    }

    /// How many first words are kept; rules about settings need no more.
    private static let openingMax = 16
    /// How far a table's name may lie behind `UPDATE`: `ONLY`, a database, a schema and
    /// their dots.
    private static let updateReach = 8
    /// The longest name or string that is compared with anything.
    private static let textByteCountMax = 256
    private static let settingFunction = "set_config"
    private static let fileFunctions: Set<String> = ["lo_import", "lo_export"]

    let rules: StatementRules
    private(set) var opening: [Word] = []
    private(set) var depth = 0
    private(set) var isBalanced = true
    private(set) var hasReadWrite = false
    private(set) var refusal: StatementRefusal?
    private var previous: Word?
    /// The name that a `(` would make a call of; quoted names keep their case.
    private var callee: String?
    private var isCalleeUnreadable = false
    private var call = Call.none
    private var copy: Copy?
    private var sinceUpdate: Int?
    /// The first verb of a `WITH` that does more than read, or its main one.
    private var verb: StatementClass?

    init(rules: StatementRules) {
        self.rules = rules
    }

    var isEmpty: Bool { opening.isEmpty }

    /// Takes the next word of the statement.
    mutating func append(_ token: SQLToken, in text: [UInt8]) {
        let word = Self.word(token, in: text)
        if opening.isEmpty, word == .word("copy") { copy = .awaitingDirection }
        followCall(word)
        followParentheses(word)
        followCopy(word)
        followUpdate(word)
        followVerb(word)
        if previous == .word("read"), word == .word("write") { hasReadWrite = true }
        if opening.count < Self.openingMax { opening.append(word) }
        callee = nil
        isCalleeUnreadable = false
        switch token.kind {
        case .word: callee = word.text
        case .quotedName:
            isCalleeUnreadable = !token.isPlain
            callee = String(
                decoding: text[token.range].dropFirst().dropLast(),
                as: UTF8.self
            )
        default: break
        }
        previous = word
    }

    private static func word(_ token: SQLToken, in text: [UInt8]) -> Word {
        let bytes = text[token.range]
        switch token.kind {
        case .word, .sign:
            return Word(
                kind: token.kind,
                text: String(decoding: bytes, as: UTF8.self).asciiLowercased
            )
        case .quotedName, .string:
            guard token.isPlain, bytes.count <= textByteCountMax else {
                return Word(kind: token.kind, text: nil)
            }
            let inner = String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
            return Word(kind: token.kind, text: inner.asciiLowercased)
        case .number: return Word(kind: .number, text: String(decoding: bytes, as: UTF8.self))
        case .parameter: return Word(kind: .parameter, text: nil)
        }
    }

    mutating func refuse(_ reason: StatementRefusal) {
        refusal = refusal ?? reason
    }

    private mutating func followCall(_ word: Word) {
        switch call {
        case .none: break
        case .awaitingName:
            call = .none
            if word.kind == .string, let name = word.text {
                call = .awaitingComma(name)
            } else {
                refuse(.unreadableSetting)
            }
        case .awaitingComma(let name):
            call = .none
            guard word == .sign(",") else { return refuse(.unreadableSetting) }
            // What fixes how statements are read is not set by a function whose value is not seen.
            if let reason = SettingRules(rules).refusal(ofSetting: name, value: nil) {
                refuse(reason)
            }
        }
        guard word == .sign("(") else { return }
        if isCalleeUnreadable { return refuse(.unreadableSetting) }
        guard let callee else { return }
        if callee == Self.settingFunction { call = .awaitingName }
        if Self.fileFunctions.contains(callee) { refuse(.largeObjectFile) }
    }

    private mutating func followParentheses(_ word: Word) {
        if word == .sign("(") { depth += 1 }
        if word == .sign(")") {
            if depth == 0 { isBalanced = false } else { depth -= 1 }
        }
    }

    private mutating func followCopy(_ word: Word) {
        switch copy {
        case .awaitingDirection where depth == 0 && word == .word("from"):
            copy = .awaitingEnd(.copyIn)
        case .awaitingDirection where depth == 0 && word == .word("to"):
            copy = .awaitingEnd(.copyOut)
        case .awaitingEnd(let direction):
            copy = [.word("stdin"), .word("stdout")].contains(word) ? .done(direction) : .refused
        default: break
        }
    }

    /// An update of this view sets settings.
    private mutating func followUpdate(_ word: Word) {
        if word == .word("update") {
            sinceUpdate = 0
        } else if let count = sinceUpdate {
            if word.kind == .quotedName, word.text == nil { refuse(.unreadableSetting) }
            if [.word, .quotedName].contains(word.kind), word.text == "pg_settings" {
                refuse(.guardedSetting)
            }
            sinceUpdate = count < Self.updateReach ? count + 1 : nil
        }
    }

    private mutating func followVerb(_ word: Word) {
        guard opening.first == .word("with"), word.kind == .word, let text = word.text,
            let found = StatementClass.ofVerb(text)
        else { return }
        let begins = previous == .sign("(") || previous == .sign(")")
        switch found {
        case .insert, .update, .delete, .merge:
            if begins, verb == nil || verb == .select { verb = found }
        case .select:
            if begins, depth == 0, verb == nil { verb = .select }
        default: break
        }
    }
}

// At the end of the statement.
extension StatementReader {
    /// Judges the statement whose last word was taken, and says what it does.
    mutating func finish() -> StatementClass {
        guard let first = opening.first else { return .empty }
        let kind = kind(of: first)
        switch first.kind == .word ? first.text : nil {
        case "copy":
            guard case .done = copy else {
                refuse(.copyOnServer)
                break
            }
        case "set":
            let settings = SettingRules(rules)
            if let reason = settings.refusal(ofSet: opening[...]) { refuse(reason) }
            refuseReadWrite()
        case "reset":
            if let reason = SettingRules(rules).refusal(ofReset: opening[...]) { refuse(reason) }
        case "begin", "start": refuseReadWrite()
        case "alter", "create": refuseDefinition()
        case "listen" where !rules.mayListen: refuse(.listening)
        default: break
        }
        if rules.isStrict, kind == .unknown || depth > 0 || !isBalanced {
            refuse(.unknownStatement)
        }
        return kind
    }

    private func kind(of first: Word) -> StatementClass {
        if first == .sign("(") { return .select }
        guard first.kind == .word, let text = first.text else { return .unknown }
        switch text {
        case "with": return verb ?? .unknown
        case "copy":
            if case .done(let direction) = copy { return direction }
            return .unknown
        case "prepare" where opening.dropFirst().first == .word("transaction"):
            return .transaction
        default: return StatementClass.ofVerb(text) ?? .unknown
        }
    }

    private mutating func refuseReadWrite() {
        if hasReadWrite, rules.guarded.contains("transaction_read_only") { refuse(.guardedSetting) }
    }

    private mutating func refuseDefinition() {
        let second = opening.dropFirst().first
        let third = opening.dropFirst(2).first
        switch second?.kind == .word ? second?.text : nil {
        case "system" where opening.first == .word("alter"): refuse(.systemChange)
        case "extension": refuse(.extensionChange)
        case "role", "group": if opening.first == .word("alter") { refuse(.roleChange) }
        case "user":
            if opening.first == .word("alter"), third != .word("mapping") { refuse(.roleChange) }
        default: break
        }
    }
}
