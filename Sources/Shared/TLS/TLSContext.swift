import COpenSSL

/// What a server context asks of its clients.
package enum ClientCertificatePolicy: Equatable, Sendable {
    /// No certificate is asked for.
    case none
    /// One is asked for; a client without one passes, a client with one is verified.
    case optional
    /// A client without one is refused with `certificate_required`.
    case required
}

/// Which signature algorithms may be used, by the peer and by ourselves.
package enum SignaturePolicy: Equatable, Sendable {
    /// ECDSA with P-256 or P-384: everything that our own authorities issue.
    case ecdsa
    /// Also RSA from 2,048 bits and Ed25519: certificates that other authorities issued.
    case ecdsaOrRSA
}

/// Which versions of the protocol may be agreed on.
package enum VersionPolicy: Equatable, Sendable {
    /// TLS 1.3: everything that we are on both ends of.
    case only13
    /// TLS 1.2 too, with ephemeral keys and authenticated ciphers only (RFC 9325 section 4.2): what
    /// others run.
    case from12
}

/// Settings of a server's context.
package struct TLSServerConfiguration: Sendable {
    /// Finds the credentials for a server name in lower case; nil refuses with `unrecognized_name`.
    ///
    /// Asked with nil when the client named no server, as for an address in a URL: mesh and agent
    /// ports answer nil to that. Called on the session's thread in each handshake, so what it
    /// returns may change at any time; open sessions keep what they were given.
    package typealias CredentialsLookup = @Sendable (String?) -> TLSCredentials?

    /// Finds the credentials of each handshake.
    package var credentials: CredentialsLookup
    /// Whether clients must show who they are.
    package var clientCertificate: ClientCertificatePolicy
    /// Decides on the chain of every client that shows one.
    package var verifier: PeerVerifier
    /// What is spoken here, in order of preference; a client that offers only others is refused.
    package var applicationProtocols: [String]
    /// Whether a client that offers none is refused as well.
    package var requiresApplicationProtocol: Bool
    /// What clients may sign with, and our own credentials too.
    package var signatures: SignaturePolicy

    package init(
        credentials: @escaping CredentialsLookup,
        clientCertificate: ClientCertificatePolicy,
        verifier: @escaping PeerVerifier,
        applicationProtocols: [String] = [],
        requiresApplicationProtocol: Bool = false,
        signatures: SignaturePolicy = .ecdsa
    ) {
        self.credentials = credentials
        self.clientCertificate = clientCertificate
        self.verifier = verifier
        self.applicationProtocols = applicationProtocols
        self.requiresApplicationProtocol = requiresApplicationProtocol
        self.signatures = signatures
    }
}

/// Settings of a client's context; credentials and names belong to each session.
package struct TLSClientConfiguration: Sendable {
    /// Decides on every server that is not given a verifier of its own.
    package var verifier: PeerVerifier
    /// Offered in this order.
    package var applicationProtocols: [String]
    /// Whether a server that selects none is refused.
    package var requiresApplicationProtocol: Bool
    /// What servers may sign with, and our own credentials too.
    package var signatures: SignaturePolicy
    /// What servers may speak.
    package var versions: VersionPolicy

    package init(
        verifier: @escaping PeerVerifier,
        applicationProtocols: [String] = [],
        requiresApplicationProtocol: Bool = false,
        signatures: SignaturePolicy = .ecdsa,
        versions: VersionPolicy = .only13
    ) {
        self.versions = versions
        self.verifier = verifier
        self.applicationProtocols = applicationProtocols
        self.requiresApplicationProtocol = requiresApplicationProtocol
        self.signatures = signatures
    }
}

/// What all sessions of one listener, or of one kind of client, have in common.
///
/// TLS 1.3 unless a client is told to take 1.2 too; no tickets, no resumption, no early data, no verification by OpenSSL.
/// `@unchecked Sendable`: immutable after `init`; OpenSSL allows SSL_new on one SSL_CTX from any
/// thread once nothing changes its settings any more.
@safe
package final class TLSContext: @unchecked Sendable {
    /// Which side its sessions are.
    package let role: TLSRole
    let raw: OpaquePointer
    let verifier: PeerVerifier
    let credentials: TLSServerConfiguration.CredentialsLookup?
    /// Names with a length byte each (RFC 7301 section 3.1), in order of preference.
    let applicationProtocols: [[UInt8]]
    let requiresApplicationProtocol: Bool

    /// A context for server sessions.
    package init(server configuration: TLSServerConfiguration) throws(TLSConfigurationError) {
        role = .server
        verifier = configuration.verifier
        credentials = configuration.credentials
        applicationProtocols = try Self.encode(configuration.applicationProtocols)
        requiresApplicationProtocol = configuration.requiresApplicationProtocol
        unsafe raw = try Self.makeRaw(TLS_server_method(), configuration.signatures, .only13)
        let mode =
            switch configuration.clientCertificate {
            case .none: SSL_VERIFY_NONE
            case .optional: SSL_VERIFY_PEER
            case .required: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            }
        unsafe SSL_CTX_set_verify(raw, mode, nil)
        unsafe SSL_CTX_set_client_hello_cb(raw, onClientHello, nil)
        unsafe tp_ssl_ctx_set_server_name_callback(raw, onServerName)
        unsafe SSL_CTX_set_alpn_select_cb(raw, onApplicationProtocols, nil)
    }

    /// A context for client sessions.
    package init(client configuration: TLSClientConfiguration) throws(TLSConfigurationError) {
        role = .client
        verifier = configuration.verifier
        credentials = nil
        applicationProtocols = try Self.encode(configuration.applicationProtocols)
        requiresApplicationProtocol = configuration.requiresApplicationProtocol
        unsafe raw = try Self.makeRaw(
            TLS_client_method(),
            configuration.signatures,
            configuration.versions
        )
        unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
        let list = applicationProtocols.flatMap { $0 }
        if !list.isEmpty,
            unsafe SSL_CTX_set_alpn_protos(raw, list, UInt32(truncatingIfNeeded: list.count)) != 0
        {
            throw .invalidApplicationProtocol
        }
    }

    deinit {
        unsafe SSL_CTX_free(raw)
    }

    private static func encode(
        _ protocols: [String]
    ) throws(TLSConfigurationError) -> [[UInt8]] {
        guard protocols.count <= 16 else { throw .invalidApplicationProtocol }
        var encoded: [[UInt8]] = []
        for name in protocols {
            guard let length = UInt8(exactly: name.utf8.count), length > 0 else {
                throw .invalidApplicationProtocol
            }
            encoded.append([length] + Array(name.utf8))
        }
        return encoded
    }

    private static func makeRaw(
        _ method: OpaquePointer?,
        _ signatures: SignaturePolicy,
        _ versions: VersionPolicy
    ) throws(TLSConfigurationError) -> OpaquePointer {
        guard let raw = unsafe SSL_CTX_new(method) else {
            throw .openSSL(reason: takeErrorReason())
        }
        let names =
            switch signatures {
            case .ecdsa: "ECDSA+SHA256:ECDSA+SHA384"
            case .ecdsaOrRSA:
                "ECDSA+SHA256:ECDSA+SHA384:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
                    + "RSA+SHA256:RSA+SHA384:RSA+SHA512"
            }
        let suites =
            "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
        guard
            unsafe setVersions(versions, of: raw),
            unsafe SSL_CTX_set_ciphersuites(raw, suites) == 1,
            unsafe tp_ssl_ctx_set_groups(
                raw,
                versions == .only13 ? "X25519:P-256" : "X25519:P-256:P-384"
            ) == 1,
            unsafe tp_ssl_ctx_set_signatures(raw, names) == 1,
            unsafe SSL_CTX_set_num_tickets(raw, 0) == 1
        else {
            let reason = takeErrorReason()
            unsafe SSL_CTX_free(raw)
            throw .openSSL(reason: reason)
        }
        unsafe SSL_CTX_set_security_level(raw, 2)
        unsafe SSL_CTX_set_options(raw, tp_ssl_options())
        unsafe tp_ssl_ctx_session_cache_off(raw)
        unsafe SSL_CTX_set_max_early_data(raw, 0)
        unsafe SSL_CTX_set_recv_max_early_data(raw, 0)
        unsafe tp_ssl_ctx_set_max_cert_list(raw, TLSLimits.peerChainByteCountMax)
        // NO_AUTO_CHAIN: otherwise OpenSSL builds and verifies our own chain at every handshake.
        // RELEASE_BUFFERS is left off: it would allocate and free per record; the owner calls
        // `TLSSession.releaseBuffers()` once per quiet spell instead.
        unsafe tp_ssl_ctx_set_mode(
            raw,
            Int(SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        )
        unsafe SSL_CTX_set_cert_verify_callback(raw, onPeerChain, nil)
        unsafe SSL_CTX_set_info_callback(raw, onAlert)
        return unsafe raw
    }
}

extension TLSContext {
    private static func setVersions(_ versions: VersionPolicy, of raw: OpaquePointer) -> Bool {
        switch versions {
        case .only13:
            return unsafe tp_ssl_ctx_only_tls13(raw) == 1
        case .from12:
            let suites =
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
                + ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
                + ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
            return unsafe tp_ssl_ctx_from_tls12(raw) == 1
                && SSL_CTX_set_cipher_list(raw, suites) == 1
        }
    }
}

/// OpenSSL's constant text for the thread's last error; empties the error queue.
func takeErrorReason() -> String {
    let code = ERR_peek_last_error()
    defer { ERR_clear_error() }
    guard code != 0, let text = unsafe ERR_reason_error_string(code) else {
        return "no reason given"
    }
    return unsafe String(cString: text)
}
