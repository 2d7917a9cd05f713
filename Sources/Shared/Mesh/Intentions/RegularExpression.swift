/// A regular expression without backtracking: time is bounded by pattern length times text
/// length, so no pattern can stall a data plane.
///
/// The common subset of RE2: literals, `.`, classes, groups (no captures), `|`, `*`, `+`, `?`,
/// `{m,n}`, `\d \w \s` and their complements, `^` and `$`. It works on bytes and always matches
/// the whole text. What is outside the subset is refused when it is compiled, never guessed.
package struct RegularExpression: Sendable {
    /// The longest pattern.
    package static let patternMaxBytes = 512
    static let statesMax = 4096
    static let depthMax = 32
    static let repetitionsMax = 255

    /// Why a pattern is refused.
    package enum PatternError: Error, Hashable, Sendable {
        case tooLong
        case tooComplex
        case malformed(atByte: Int)
    }

    /// One state of the automaton; numbers are positions in the program.
    enum State: Hashable, Sendable {
        case byte(ByteClass)
        case split(Int, Int)
        case jump(Int)
        case textStart
        case textEnd
        case match
    }

    private let program: [State]

    /// Compiles a pattern; the bounds on size and depth hold before any text is seen.
    package init(_ pattern: String) throws(PatternError) {
        guard pattern.utf8.count <= Self.patternMaxBytes else { throw .tooLong }
        var parser = RegularExpressionParser(pattern: Array(pattern.utf8))
        let tree = try parser.parse()
        var program: [State] = []
        try Self.emit(tree, into: &program)
        program.append(.match)
        self.program = program
    }

    /// Whether the expression covers the whole text.
    package func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var current = Set<Int>()
        add(0, to: &current, at: 0, of: bytes.count)
        for (index, byte) in bytes.enumerated() {
            var next = Set<Int>()
            for state in current {
                guard case .byte(let accepted) = program[state], accepted.contains(byte) else {
                    continue
                }
                add(state + 1, to: &next, at: index + 1, of: bytes.count)
            }
            if next.isEmpty { return false }
            current = next
        }
        return current.contains { program[$0] == .match }
    }

    /// Follows everything that costs no byte, with a list of its own instead of recursion.
    private func add(_ start: Int, to states: inout Set<Int>, at index: Int, of count: Int) {
        var pending = [start]
        while let state = pending.popLast() {
            guard states.insert(state).inserted else { continue }
            switch program[state] {
            case .byte, .match: break
            case .jump(let target): pending.append(target)
            case .split(let first, let second): pending += [second, first]
            case .textStart: if index == 0 { pending.append(state + 1) }
            case .textEnd: if index == count { pending.append(state + 1) }
            }
        }
    }

    private static func emit(
        _ node: RegularExpressionNode,
        into program: inout [State]
    ) throws(PatternError) {
        guard program.count < statesMax else { throw .tooComplex }
        switch node {
        case .empty: break
        case .textStart: program.append(.textStart)
        case .textEnd: program.append(.textEnd)
        case .byte(let accepted): program.append(.byte(accepted))
        case .sequence(let parts):
            for part in parts { try emit(part, into: &program) }
        case .choice(let first, let second):
            let split = program.count
            program.append(.match)
            try emit(first, into: &program)
            let jump = program.count
            program.append(.match)
            program[split] = .split(split + 1, program.count)
            try emit(second, into: &program)
            program[jump] = .jump(program.count)
        case .repetition(let part, let least, let most):
            try emitRepetition(of: part, least: least, most: most, into: &program)
        }
    }

    private static func emitRepetition(
        of part: RegularExpressionNode,
        least: Int,
        most: Int?,
        into program: inout [State]
    ) throws(PatternError) {
        for _ in 0..<least {
            let before = program.count
            try emit(part, into: &program)
            // Nothing repeated is nothing; without this, nested empty groups would take for ever.
            if program.count == before { return }
        }
        guard let most else {
            let split = program.count
            program.append(.match)
            try emit(part, into: &program)
            program.append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<most {
            guard program.count < statesMax else { throw .tooComplex }
            splits.append(program.count)
            program.append(.match)
            try emit(part, into: &program)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }
}

/// A set of bytes.
struct ByteClass: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}

    init(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { insert(byte) }
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word & (1 << UInt64(byte & 63)) != 0
    }

    mutating func insert(_ byte: UInt8) {
        let bit: UInt64 = 1 << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    mutating func formUnion(_ other: ByteClass) {
        words.0 |= other.words.0
        words.1 |= other.words.1
        words.2 |= other.words.2
        words.3 |= other.words.3
    }

    var complement: ByteClass {
        var result = ByteClass()
        result.words = (~words.0, ~words.1, ~words.2, ~words.3)
        return result
    }

    static func == (left: ByteClass, right: ByteClass) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
