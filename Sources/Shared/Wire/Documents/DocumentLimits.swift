/// How large a document may be.
package struct DocumentLimits: Sendable {
    /// The deepest nesting that any limits may allow.
    ///
    /// The parsers recurse per level and use up to 128 KiB of stack at this depth (512 KiB in debug
    /// builds), so threads that parse must have more.
    package static let depthMax = 64

    /// 1 MiB, 32 levels, 100,000 nodes: bodies from callers who are not yet known to be friendly.
    package static let request = DocumentLimits(bytes: .mebibytes(1), depth: 32, nodes: 100_000)
    /// 16 MiB, 32 levels, a million nodes: files, sections and answers.
    package static let file = DocumentLimits(bytes: .mebibytes(16), depth: 32, nodes: 1_000_000)

    package let bytes: ByteCount
    /// A scalar has depth 0, a list of scalars depth 1.
    package let depth: Int
    /// Every scalar, list and map counts.
    package let nodes: Int

    /// `depth` is at most `depthMax`.
    package init(bytes: ByteCount, depth: Int, nodes: Int) {
        precondition(depth <= Self.depthMax, "the parsers cannot recurse deeper")
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
    }
}
