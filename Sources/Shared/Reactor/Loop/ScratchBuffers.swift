/// The buffers that a reactor lends for the length of a call, one per depth of nesting.
@safe
struct ScratchBuffers: ~Copyable {
    private let buffers: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>
    private var depth = 0

    init() {
        unsafe buffers = .allocate(capacity: Reactor.scratchDepthMax)
        unsafe buffers.initialize(repeating: nil, count: Reactor.scratchDepthMax)
    }

    deinit {
        for index in 0..<Reactor.scratchDepthMax { unsafe buffers[index]?.deallocate() }
        unsafe buffers.deallocate()
    }

    /// Takes the next depth's buffer, made and zeroed at its first use.
    @unsafe
    mutating func borrow() -> UnsafeMutableBufferPointer<UInt8> {
        precondition(depth < Reactor.scratchDepthMax, "scratch buffers nested too deep")
        let count = Reactor.scratchByteCount
        defer { depth += 1 }
        if let made = unsafe buffers[depth] {
            return unsafe UnsafeMutableBufferPointer(start: made, count: count)
        }
        let made = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
        unsafe made.initialize(repeating: 0, count: count)
        unsafe buffers[depth] = made
        return unsafe UnsafeMutableBufferPointer(start: made, count: count)
    }

    mutating func giveBack() {
        depth -= 1
    }
}
