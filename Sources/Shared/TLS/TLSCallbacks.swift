import COpenSSL

// OpenSSL calls these during a handshake, on the thread that drives the session. Each finds the
// session through the SSL's first ex_data slot, which holds an unretained reference: a session is
// alive while one of its methods runs, and only those enter OpenSSL.

private let sessionSlot: Int32 = 0

/// The session that owns `raw`.
func session(of raw: OpaquePointer?) -> TLSSession? {
    guard let raw = unsafe raw, let slot = unsafe SSL_get_ex_data(raw, sessionSlot) else {
        return nil
    }
    return unsafe Unmanaged<TLSSession>.fromOpaque(slot).takeUnretainedValue()
}

/// Lets the callbacks find `session`; without a retain, since the session owns `raw`.
func attach(_ session: TLSSession, to raw: OpaquePointer) -> Bool {
    unsafe SSL_set_ex_data(
        raw,
        sessionSlot,
        Unmanaged.passUnretained(session).toOpaque()
    ) == 1
}

/// Refuses a ClientHello without ALPN where one is required (RFC 7301 section 3.2).
func onClientHello(
    _ raw: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?,
    _: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session(of: raw) else { return SSL_CLIENT_HELLO_ERROR }
    guard session.context.requiresApplicationProtocol else { return SSL_CLIENT_HELLO_SUCCESS }
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    let type = UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation)
    guard unsafe SSL_client_hello_get0_ext(raw, type, &bytes, &count) == 1 else {
        session.refusal = .noApplicationProtocol
        unsafe alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
        return SSL_CLIENT_HELLO_ERROR
    }
    return SSL_CLIENT_HELLO_SUCCESS
}

/// Chooses the credentials by the server name; called for an absent name too.
func onServerName(
    _ raw: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?,
    _: UnsafeMutableRawPointer?
) -> Int32 {
    guard let raw = unsafe raw, let session = unsafe session(of: raw) else {
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let sent = unsafe SSL_get_servername(raw, TLSEXT_NAMETYPE_host_name)
        .map { unsafe String(cString: $0) }
    let name = sent.flatMap(ServerName.canonical)
    guard
        (sent == nil) == (name == nil),
        let credentials = session.context.credentials?(name)
    else {
        session.refusal = .unknownServerName
        unsafe alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    guard unsafe credentials.install(in: raw) else {
        unsafe alert?.pointee = SSL_AD_INTERNAL_ERROR
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    session.serverName = name
    return SSL_TLSEXT_ERR_OK
}

/// Picks our most preferred protocol that the client offers, or refuses.
func onApplicationProtocols(
    _ raw: OpaquePointer?,
    _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?,
    _ offeredCount: UInt32,
    _: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session(of: raw), let offered = unsafe offered else {
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let offer = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    for wanted in session.context.applicationProtocols {
        var index = 0
        while index < offer.count {
            let length = unsafe Int(offer[index])
            guard index + 1 + length <= offer.count else { break }
            if unsafe offer[index...(index + length)].elementsEqual(wanted) {
                unsafe selected?.pointee = unsafe offered + index + 1
                unsafe selectedCount?.pointee = unsafe offer[index]
                return SSL_TLSEXT_ERR_OK
            }
            index += 1 + length
        }
    }
    session.refusal = .noApplicationProtocol
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Hands the peer's chain to the owner's verifier, instead of OpenSSL's own verification.
func onPeerChain(_ store: OpaquePointer?, _: UnsafeMutableRawPointer?) -> Int32 {
    guard
        let store = unsafe store,
        let slot = unsafe X509_STORE_CTX_get_ex_data(
            store,
            SSL_get_ex_data_X509_STORE_CTX_idx()
        ),
        let session = unsafe session(of: OpaquePointer(slot))
    else { return 0 }
    let code: Int32
    if let chain = unsafe peerChain(of: store) {
        code = session.judge(chain)
    } else {
        session.refusal = .peerChainTooLong
        code = X509_V_ERR_CERT_CHAIN_TOO_LONG
    }
    unsafe X509_STORE_CTX_set_error(store, code)
    return code == X509_V_OK ? 1 : 0
}

/// The chain as DER, leaf first; nil when it is longer than we read.
private func peerChain(of store: OpaquePointer) -> [[UInt8]]? {
    let stack = unsafe X509_STORE_CTX_get0_untrusted(store)
    let count = unsafe Int(tp_x509_stack_count(stack))
    guard count > 0, count <= TLSLimits.peerChainCountMax else { return nil }
    var chain: [[UInt8]] = []
    chain.reserveCapacity(count)
    for index in 0..<count {
        guard
            let certificate = unsafe tp_x509_stack_at(stack, Int32(index)),
            let bytes = unsafe encoding(of: certificate)
        else { return nil }
        chain.append(bytes)
    }
    return chain
}

private func encoding(of certificate: OpaquePointer) -> [UInt8]? {
    let count = unsafe Int(i2d_X509(certificate, nil))
    guard count > 0 else { return nil }
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        var cursor = buffer.baseAddress
        let result = unsafe i2d_X509(certificate, &cursor)
        written = result == Int32(count) ? count : 0
    }
}

/// Notes the alerts that pass in both directions; OpenSSL's error codes do not keep them all.
func onAlert(_ raw: OpaquePointer?, _ place: Int32, _ value: Int32) {
    guard place & SSL_CB_ALERT != 0, let session = unsafe session(of: raw) else { return }
    let alert = TLSAlert(code: UInt8(truncatingIfNeeded: value))
    guard alert != .closeNotify else { return }
    if place & SSL_CB_READ != 0 {
        session.receivedAlert = alert
    } else {
        session.sentAlert = alert
    }
}
