/// What a pattern says, as a tree.
indirect enum RegularExpressionNode: Hashable, Sendable {
    case empty
    case textStart
    case textEnd
    case byte(ByteClass)
    case sequence([RegularExpressionNode])
    case choice(RegularExpressionNode, RegularExpressionNode)
    case repetition(RegularExpressionNode, least: Int, most: Int?)
}

/// Reads a pattern into its tree; depth and repetitions are bounded.
struct RegularExpressionParser {
    private let pattern: [UInt8]
    private var position = 0
    private var depth = 0

    init(pattern: [UInt8]) { self.pattern = pattern }

    typealias Failure = RegularExpression.PatternError

    mutating func parse() throws(Failure) -> RegularExpressionNode {
        let tree = try parseChoice()
        guard position == pattern.count else { throw malformed }
        return tree
    }

    private var malformed: Failure { .malformed(atByte: position) }

    private var next: UInt8? { position < pattern.count ? pattern[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func parseChoice() throws(Failure) -> RegularExpressionNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= RegularExpression.depthMax else { throw .tooComplex }
        var alternatives = [try parseSequence()]
        while take("|") { alternatives.append(try parseSequence()) }
        var tree = alternatives.removeLast()
        while let alternative = alternatives.popLast() { tree = .choice(alternative, tree) }
        return tree
    }

    private mutating func parseSequence() throws(Failure) -> RegularExpressionNode {
        var parts: [RegularExpressionNode] = []
        while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            parts.append(try parseRepetition())
        }
        return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func parseRepetition() throws(Failure) -> RegularExpressionNode {
        let atom = try parseAtom()
        let bounds: (least: Int, most: Int?)
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if next == UInt8(ascii: "{") {
            bounds = try parseBounds()
        } else {
            return atom
        }
        // Laziness only chooses among matches; for a whole-text match it means nothing.
        _ = take("?")
        if let byte = next, "*+?{".utf8.contains(byte) { throw malformed }
        return .repetition(atom, least: bounds.least, most: bounds.most)
    }

    private mutating func parseBounds() throws(Failure) -> (least: Int, most: Int?) {
        position += 1
        let least = try parseNumber()
        guard take(",") else {
            guard take("}") else { throw malformed }
            return (least, least)
        }
        if take("}") { return (least, nil) }
        let most = try parseNumber()
        guard most >= least, take("}") else { throw malformed }
        return (least, most)
    }

    private mutating func parseNumber() throws(Failure) -> Int {
        var value: Int?
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let grown = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
            guard grown <= RegularExpression.repetitionsMax else { throw .tooComplex }
            value = grown
            position += 1
        }
        guard let value else { throw malformed }
        return value
    }

    private mutating func parseAtom() throws(Failure) -> RegularExpressionNode {
        guard let byte = next else { throw malformed }
        switch byte {
        case UInt8(ascii: "("):
            return try parseGroup()
        case UInt8(ascii: "["):
            position += 1
            return .byte(try parseClass())
        case UInt8(ascii: "."):
            position += 1
            return .byte(ByteClass([UInt8(ascii: "\n")]).complement)
        case UInt8(ascii: "^"):
            position += 1
            return .textStart
        case UInt8(ascii: "$"):
            position += 1
            return .textEnd
        case UInt8(ascii: "\\"):
            position += 1
            return .byte(try parseEscape())
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"):
            throw malformed
        default:
            position += 1
            return .byte(ByteClass([byte]))
        }
    }

    private mutating func parseGroup() throws(Failure) -> RegularExpressionNode {
        position += 1
        if take("?") {
            // Only the group without a capture; flags and look-around are outside the subset.
            guard take(":") else { throw malformed }
        }
        let tree = try parseChoice()
        guard take(")") else { throw malformed }
        return tree
    }

    private mutating func parseEscape() throws(Failure) -> ByteClass {
        guard let byte = next else { throw malformed }
        position += 1
        let digits = ByteClass(UInt8(ascii: "0")...UInt8(ascii: "9"))
        var word = digits
        word.formUnion(ByteClass(UInt8(ascii: "a")...UInt8(ascii: "z")))
        word.formUnion(ByteClass(UInt8(ascii: "A")...UInt8(ascii: "Z")))
        word.insert(UInt8(ascii: "_"))
        let space = ByteClass("\t\n\u{0C}\r ".utf8)
        switch byte {
        case UInt8(ascii: "d"): return digits
        case UInt8(ascii: "D"): return digits.complement
        case UInt8(ascii: "w"): return word
        case UInt8(ascii: "W"): return word.complement
        case UInt8(ascii: "s"): return space
        case UInt8(ascii: "S"): return space.complement
        case UInt8(ascii: "t"): return ByteClass([0x09])
        case UInt8(ascii: "n"): return ByteClass([0x0A])
        case UInt8(ascii: "r"): return ByteClass([0x0D])
        default:
            // Other letters and digits have meanings elsewhere (\b, \1, \p): not guessed.
            guard !word.contains(byte), byte < 0x80 else {
                position -= 1
                throw malformed
            }
            return ByteClass([byte])
        }
    }

    private mutating func parseClass() throws(Failure) -> ByteClass {
        let isComplement = take("^")
        var accepted = ByteClass()
        var isFirst = true
        while isFirst || next != UInt8(ascii: "]") {
            guard let low = try parseClassMember(&accepted) else {
                isFirst = false
                continue
            }
            isFirst = false
            let isRange =
                next == UInt8(ascii: "-") && position + 1 < pattern.count
                && pattern[position + 1] != UInt8(ascii: "]")
            guard isRange else {
                accepted.insert(low)
                continue
            }
            position += 1
            guard let high = try parseClassMember(&accepted), low <= high else { throw malformed }
            accepted.formUnion(ByteClass(low...high))
        }
        position += 1
        return isComplement ? accepted.complement : accepted
    }

    /// Gives one byte, or nil if the member was a set, which then is in `accepted`.
    private mutating func parseClassMember(_ accepted: inout ByteClass) throws(Failure) -> UInt8? {
        guard let byte = next else { throw malformed }
        position += 1
        if byte == UInt8(ascii: "["), next == UInt8(ascii: ":") { throw malformed }
        guard byte == UInt8(ascii: "\\") else { return byte }
        let set = try parseEscape()
        let members = (UInt8.min...UInt8.max).filter(set.contains)
        if members.count == 1 { return members.first }
        accepted.formUnion(set)
        return nil
    }
}
