import COpenSSL

/// The caller's two buffers, as OpenSSL sees them through our BIO during one call.
///
/// The session fills it before it enters OpenSSL and empties it afterwards, so no pointer into a
/// caller's buffer outlives the call. Between calls a session therefore owns no I/O buffer.
@safe
struct RecordWindow {
    var input: UnsafeRawPointer?
    var inputCount = 0
    var output: UnsafeMutableRawPointer?
    var outputRoom = 0
    var outputCount = 0

    /// Copies the next bytes of the received ciphertext; 0 when there are none.
    mutating func take(into destination: UnsafeMutableRawPointer, count: Int) -> Int {
        let taken = min(count, inputCount)
        guard taken > 0, let source = unsafe input else { return 0 }
        unsafe destination.copyMemory(from: source, byteCount: taken)
        unsafe input = unsafe source + taken
        inputCount -= taken
        return taken
    }

    /// Appends to the ciphertext to be sent; 0 when there is no room.
    mutating func put(_ source: UnsafeRawPointer, count: Int) -> Int {
        let accepted = min(count, outputRoom)
        guard accepted > 0, let destination = unsafe output else { return 0 }
        unsafe destination.copyMemory(from: source, byteCount: accepted)
        unsafe output = unsafe destination + accepted
        outputRoom -= accepted
        outputCount += accepted
        return accepted
    }
}

/// Our BIO: memory copies between OpenSSL and a `RecordWindow`, nothing else.
enum RecordBIO {
    /// One method table for the process, never freed.
    ///
    /// `nonisolated(unsafe)`: written once by the runtime's thread-safe initialiser, then only read.
    private nonisolated(unsafe) static let method: OpaquePointer? = unsafe makeMethod()

    /// A BIO over `window`, which the caller keeps alive until the session that owns the BIO is freed.
    static func make(over window: UnsafeMutablePointer<RecordWindow>) -> OpaquePointer? {
        guard let method = unsafe method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, window)
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    private static func makeMethod() -> OpaquePointer? {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = unsafe BIO_meth_new(type, "record window") else { return nil }
        unsafe BIO_meth_set_read(method) { bio, destination, count in
            unsafe tp_bio_clear_retry(bio)
            guard let window = unsafe RecordBIO.window(of: bio),
                let destination = unsafe destination
            else { return -1 }
            let taken = unsafe window.pointee.take(into: destination, count: Int(count))
            guard taken > 0 else {
                unsafe tp_bio_set_retry_read(bio)
                return -1
            }
            return Int32(truncatingIfNeeded: taken)
        }
        unsafe BIO_meth_set_write(method) { bio, source, count in
            unsafe tp_bio_clear_retry(bio)
            guard let window = unsafe RecordBIO.window(of: bio), let source = unsafe source
            else { return -1 }
            let accepted = unsafe window.pointee.put(source, count: Int(count))
            guard accepted > 0 else {
                unsafe tp_bio_set_retry_write(bio)
                return -1
            }
            return Int32(truncatingIfNeeded: accepted)
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        return unsafe method
    }

    private static func window(of bio: OpaquePointer?) -> UnsafeMutablePointer<RecordWindow>? {
        unsafe BIO_get_data(bio)?.assumingMemoryBound(to: RecordWindow.self)
    }
}
