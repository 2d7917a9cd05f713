import CPostgres

/// One `PGconn`: the calls of libpq, nothing else.
///
/// Sendable because it is used by one thread at a time: by the worker thread that connects,
/// then by the reactor of the `PostgresConnection` that owns it. Only `Canceller` leaves it.
@safe
final class LibpqConnection: @unchecked Sendable {
    private var pointer: OpaquePointer?

    /// Connects, which blocks for at most the connect timeout per host and the name lookup.
    init(blocking settings: PostgresSettings) throws(PostgresError) {
        let parameters = settings.parameters
        let keywords = parameters.map(\.keyword)
        let values = parameters.map(\.value)
        guard !(values + keywords).contains(where: { $0.utf8.contains(0) }) else {
            throw .connectFailed("a setting holds a zero byte")
        }
        unsafe pointer = unsafe LibpqConnection.withStrings(keywords) { keywords in
            unsafe LibpqConnection.withStrings(values) { values in
                unsafe PQconnectdbParams(keywords, values, 0)
            }
        }
        unsafe cpostgres_silence(pointer)
        guard unsafe PQstatus(pointer) == CONNECTION_OK else {
            let text = errorText
            finish()
            throw .connectFailed(text)
        }
        let version = Int(unsafe PQserverVersion(pointer))
        guard version >= PostgresLimits.serverVersionMin else {
            finish()
            throw .unsupportedServer(version: version)
        }
        guard unsafe PQsetnonblocking(pointer, 1) == 0, enterPipeline() else {
            finish()
            throw .protocolViolation("pipeline mode was refused")
        }
    }

    deinit { finish() }

    /// Ends the connection; further calls do nothing.
    func finish() {
        unsafe PQfinish(pointer)
        unsafe pointer = nil
    }

    var socket: Int32 { unsafe PQsocket(pointer) }
    var isOpen: Bool { unsafe PQstatus(pointer) == CONNECTION_OK }
    var isEncrypted: Bool { unsafe PQsslInUse(pointer) != 0 }
    var serverVersion: Int { Int(unsafe PQserverVersion(pointer)) }
    var processID: Int32 { unsafe PQbackendPID(pointer) }
    var isBusy: Bool { unsafe PQisBusy(pointer) != 0 }
    var transactionStatus: PGTransactionStatusType { unsafe PQtransactionStatus(pointer) }

    /// libpq's last error; about connecting it names hosts, sockets and users only.
    private var errorText: String {
        guard let text = unsafe PQerrorMessage(pointer) else { return "unknown reason" }
        let lines = unsafe String(cString: text).split(whereSeparator: \.isNewline)
        let joined = lines.joined(separator: "; ")
        return joined.isEmpty ? "unknown reason" : String(joined.prefix(500))
    }
}

// MARK: - Passwords

extension LibpqConnection {
    /// What a server stores in place of a password (RFC 5802 section 3); takes milliseconds.
    func scramVerifier(password: String, user: String) -> String? {
        let text = unsafe PQencryptPasswordConn(pointer, password, user, "scram-sha-256")
        guard let text = unsafe text else { return nil }
        defer { unsafe PQfreemem(text) }
        return unsafe String(cString: text)
    }
}

// MARK: - Sending

extension LibpqConnection {
    func enterPipeline() -> Bool { unsafe PQenterPipelineMode(pointer) == 1 }

    func exitPipeline() -> Bool { unsafe PQexitPipelineMode(pointer) == 1 }

    func sendSync() -> Bool { unsafe PQpipelineSync(pointer) == 1 }

    /// Several statements without parameters; not in pipeline mode.
    func sendScript(_ text: String) -> Bool { unsafe PQsendQuery(pointer, text) == 1 }

    func sendPrepare(name: String, text: String, types: [PostgresType]) -> Bool {
        let oids = types.map(\.oid)
        return unsafe PQsendPrepare(pointer, name, text, Int32(oids.count), oids) == 1
    }

    func sendPrepared(name: String, parameters: [PostgresValue]) -> Bool {
        unsafe LibpqConnection.withParameters(parameters) { values, lengths, formats in
            let count = Int32(parameters.count)
            return unsafe PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 1)
                == 1
        }
    }

    func sendUnprepared(text: String, parameters: [PostgresValue]) -> Bool {
        let oids = parameters.map(\.type.oid)
        return unsafe LibpqConnection.withParameters(parameters) { values, lengths, formats in
            let count = Int32(parameters.count)
            return unsafe PQsendQueryParams(
                pointer,
                text,
                count,
                oids,
                values,
                lengths,
                formats,
                1
            ) == 1
        }
    }

    enum Flush { case done, blocked, failed }

    /// Writes what is buffered, as far as the socket takes it.
    func flush() -> Flush {
        switch unsafe PQflush(pointer) {
        case 0: .done
        case 1: .blocked
        default: .failed
        }
    }
}

// MARK: - Receiving

extension LibpqConnection {
    /// Reads the socket until it is empty; false when the connection is gone.
    ///
    /// One call of libpq reads once, and readiness is reported once per edge. Under TLS, up to
    /// half a record (8 KiB) may wait inside OpenSSL when the socket is empty, hence one more.
    func readAll() -> Bool {
        repeat {
            guard unsafe PQconsumeInput(pointer) == 1 else { return false }
        } while isOpen && cpostgres_is_readable(socket) != 0
        guard isEncrypted else { return isOpen }
        return unsafe PQconsumeInput(pointer) == 1 && isOpen
    }

    /// The next result; nil ends the results of one statement.
    func nextResult() -> LibpqResult? {
        guard let result = unsafe PQgetResult(pointer) else { return nil }
        return unsafe LibpqResult(owning: result)
    }

    func nextNotification() -> PostgresNotification? {
        guard let notify = unsafe PQnotifies(pointer) else { return nil }
        defer { unsafe PQfreemem(notify) }
        return unsafe PostgresNotification(
            channel: String(cString: notify.pointee.relname),
            payload: String(cString: notify.pointee.extra),
            senderProcessID: notify.pointee.be_pid
        )
    }
}

// MARK: - Cancelling

extension LibpqConnection {
    /// What is needed to ask the server to stop the current statement, from any thread.
    ///
    /// Sendable because `PQcancel` only reads it and is made to be called from another thread.
    @safe
    final class Canceller: @unchecked Sendable {
        private let pointer: OpaquePointer

        fileprivate init(owning pointer: OpaquePointer) {
            unsafe self.pointer = unsafe pointer
        }

        deinit { unsafe PQfreeCancel(pointer) }

        /// Opens a connection of its own and blocks until the server has passed the request on.
        func cancel() {
            var message = [CChar](repeating: 0, count: 256)
            _ = unsafe PQcancel(pointer, &message, Int32(message.count))
        }
    }

    func makeCanceller() -> Canceller? {
        guard let cancel = unsafe PQgetCancel(pointer) else { return nil }
        return unsafe Canceller(owning: cancel)
    }
}

// MARK: - C arrays

extension LibpqConnection {
    /// A null-terminated array of C strings that lives as long as `body` runs.
    private static func withStrings<Value>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        var storage: [CChar] = []
        var offsets: [Int] = []
        for string in strings {
            offsets.append(storage.count)
            storage += string.utf8CString
        }
        return unsafe storage.withUnsafeBufferPointer { bytes in
            var pointers: [UnsafePointer<CChar>?] = unsafe offsets.map { offset in
                unsafe bytes.baseAddress.map { unsafe $0 + offset }
            }
            unsafe pointers.append(nil)
            return unsafe pointers.withUnsafeBufferPointer { pointers in
                guard let base = pointers.baseAddress else { preconditionFailure("never empty") }
                return unsafe body(base)
            }
        }
    }

    /// Values, lengths and formats of parameters, all binary.
    private static func withParameters<Value>(
        _ parameters: [PostgresValue],
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Value
    ) -> Value {
        if parameters.isEmpty { return body(nil, nil, nil) }
        var storage: [UInt8] = []
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        for parameter in parameters {
            offsets.append(parameter.bytes == nil ? nil : storage.count)
            lengths.append(Int32(parameter.bytes?.count ?? 0))
            storage += parameter.bytes ?? []
        }
        // So that the address of an empty last value lies inside the storage.
        storage.append(0)
        let formats = [Int32](repeating: 1, count: parameters.count)
        return unsafe storage.withUnsafeBytes { bytes in
            let pointers: [UnsafePointer<CChar>?] = unsafe offsets.map { offset in
                guard let offset else { return nil }
                return unsafe bytes.baseAddress.map {
                    unsafe ($0 + offset).assumingMemoryBound(to: CChar.self)
                }
            }
            return unsafe pointers.withUnsafeBufferPointer { values in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe body(values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}
