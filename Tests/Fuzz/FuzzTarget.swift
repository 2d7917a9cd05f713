/// One parser that meets a peer, and what must hold of it whatever the bytes.
///
/// Beyond not trapping: what is accepted is written again and read as the same thing, in whatever
/// pieces it comes.
struct FuzzTarget: Sendable {
    /// As on the command line, and the name of its corpus.
    let name: String
    /// What is wrong with what the parser made of the bytes; nil if nothing is.
    let fault: @Sendable ([UInt8]) -> String?

    static let all: [FuzzTarget] = text + http + snapshot + certificates + policies + postgres

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

    /// The bytes in pieces whose lengths the bytes themselves choose.
    static func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        var rest = bytes[...]
        var state = UInt64(bytes.count)
        var pieces: [[UInt8]] = []
        while let first = rest.first {
            state = state &* 31 &+ UInt64(first)
            let piece = rest.prefix(Int(1 + state % 40))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
