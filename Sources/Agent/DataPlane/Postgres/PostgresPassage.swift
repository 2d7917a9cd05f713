import Reactor

/// What of the bytes given goes on to the other side: first `bytes`, then a range of those given.
///
/// Where nothing was held back or replaced, nothing is copied: `bytes` is empty and the range is all.
package struct PostgresPassage: Equatable, Sendable {
    /// Copies and replacements.
    package private(set) var bytes: [UInt8] = []
    /// What follows of the bytes given, as it is.
    package private(set) var range = 0..<0

    /// Nothing.
    package init() {}

    /// Lets a range of `input` pass.
    mutating func pass(_ next: Range<Int>, of input: Span<UInt8>) {
        if range.upperBound == next.lowerBound, !range.isEmpty {
            range = range.lowerBound..<next.upperBound
        } else {
            materialise(input)
            range = next
        }
    }

    /// Puts bytes that are not in `input` behind what passes so far.
    mutating func put(_ more: [UInt8], over input: Span<UInt8>) {
        materialise(input)
        bytes += more
    }

    /// Lets a message's type, length and head pass.
    mutating func pass(_ message: PostgresMessage, of input: Span<UInt8>) {
        switch message.place {
        case .here(let range): pass(range, of: input)
        case .held(let held): put(held, over: input)
        }
    }

    private mutating func materialise(_ input: Span<UInt8>) {
        guard !range.isEmpty else { return }
        bytes.append(copying: input.extracting(range))
        range = 0..<0
    }

    /// All of it in one piece.
    package func all(of input: Span<UInt8>) -> [UInt8] {
        var all = bytes
        all.append(copying: input.extracting(range))
        return all
    }
}
