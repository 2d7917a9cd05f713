extension Reactor {
    /// Lends a buffer of `scratchByteCount` bytes for the length of a call.
    ///
    /// Nested calls get buffers of their own, at most `scratchDepthMax`. The content is left over from
    /// the previous borrower: write before reading, and never send what was not written.
    package func withScratch<Value: ~Copyable, Failure: Error>(
        _ body: (inout MutableSpan<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        assertOnReactor()
        let buffer = unsafe scratches.borrow()
        defer { scratches.giveBack() }
        var span = unsafe MutableSpan(_unsafeElements: buffer)
        return try body(&span)
    }
}

extension [UInt8] {
    /// Keeps a copy of lent bytes beyond the call that lent them.
    ///
    /// One copy of memory: appending byte by byte costs more than encrypting them.
    package mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { lent in unsafe append(contentsOf: lent) }
    }
}
