import Wire

/// The client's side of one SCRAM-SHA-256 exchange (RFC 5802 section 5, RFC 7677).
///
/// It has proved itself only when `finish` returns: until then whoever answers may be anybody.
package struct SCRAMClient: Sendable {
    /// The mechanism without channel binding.
    package static let mechanism = "SCRAM-SHA-256"
    /// The mechanism with channel binding.
    package static let mechanismPlus = "SCRAM-SHA-256-PLUS"
    /// Bytes of the random part of a nonce.
    package static let nonceByteCount = 18
    /// The longest message of a server that is looked at.
    package static let messageByteCountMax = 2_048

    /// How the exchange is tied to the TLS session around it (RFC 5929).
    package enum ChannelBinding: Sendable, Equatable {
        /// No session, or one whose certificate has no hash to bind to.
        case none
        /// The client could, and the server did not offer it: one that did sees here that somebody
        /// struck its offer out.
        case notOffered
        /// The hash of the server's certificate: `tls-server-end-point`.
        case serverEndPoint([UInt8])
    }

    private enum State: Equatable {
        case start
        case awaitingSalt
        case awaitingSignature(authMessage: [UInt8])
        case ended
    }

    private let keys: SCRAM.Keys
    private let nonce: String
    private let user: String
    private let binding: ChannelBinding
    private var state = State.start

    /// An exchange; `nonce` is printable ASCII without a comma and was never used before.
    ///
    /// - Parameters:
    ///   - keys: made with the very salt and rounds that the server has.
    ///   - nonce: the client's part.
    ///   - user: printable ASCII without `,` and `=`; PostgreSQL takes the role from its start-up
    ///     message and wants it empty.
    ///   - binding: decides the mechanism.
    package init(
        keys: SCRAM.Keys,
        nonce: String,
        user: String = "",
        binding: ChannelBinding
    ) {
        self.keys = keys
        self.nonce = nonce
        self.user = user
        self.binding = binding
    }

    /// What the client names as its choice.
    package var mechanism: String {
        if case .serverEndPoint = binding { return Self.mechanismPlus }
        return Self.mechanism
    }

    private var header: String {
        switch binding {
        case .none: "n,,"
        case .notOffered: "y,,"
        case .serverEndPoint: "p=tls-server-end-point,,"
        }
    }

    private var firstBare: String { "n=\(user),r=\(nonce)" }

    /// The client's first message.
    package mutating func begin() -> [UInt8] {
        state = .awaitingSalt
        return Array((header + firstBare).utf8)
    }

    /// The client's proof, in answer to the server's nonce, salt and rounds.
    ///
    /// Throws for anything but exactly those three, for a nonce that does not begin with ours or adds
    /// nothing, and for a salt or rounds that the keys were not made with.
    package mutating func answer(_ message: [UInt8]) throws(SCRAMFault) -> [UInt8] {
        guard state == .awaitingSalt else { throw .outOfOrder }
        state = .ended
        let parts = try Self.attributes(message)
        guard parts.count == 3, let serverNonce = parts[0].value(of: "r"),
            let salt = parts[1].value(of: "s"), let rounds = parts[2].value(of: "i")
        else { throw .malformed }
        guard serverNonce.hasPrefix(nonce), serverNonce.utf8.count > nonce.utf8.count,
            serverNonce.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else { throw .otherNonce }
        guard (try? Base64.decode(salt)) == keys.salt, rounds == String(keys.iterations) else {
            throw .otherVerifier
        }
        var binds = Array(header.utf8)
        if case .serverEndPoint(let hash) = binding { binds += hash }
        let unproved = "c=\(Base64.encode(binds)),r=\(serverNonce)"
        let authMessage = Array("\(firstBare),".utf8) + message + Array(",\(unproved)".utf8)
        let stored = SecretBytes(copying: keys.stored)
        var proof = HMACSHA256.tag(of: authMessage, key: stored).bytes
        defer { SecretBytes.wipe(&proof) }
        keys.client.withBytes { key in
            for index in proof.indices { proof[index] ^= key[index] }
        }
        state = .awaitingSignature(authMessage: authMessage)
        return Array("\(unproved),p=\(Base64.encode(proof))".utf8)
    }

    /// Checks that the server knows the verifier; throws when it does not, or says anything else.
    package mutating func finish(_ message: [UInt8]) throws(SCRAMFault) {
        guard case .awaitingSignature(let authMessage) = state else { throw .outOfOrder }
        state = .ended
        let parts = try Self.attributes(message)
        guard parts.count == 1 else { throw .malformed }
        if parts[0].hasPrefix("e=") { throw .refused }
        guard let text = parts[0].value(of: "v"), let signature = try? Base64.decode(text) else {
            throw .malformed
        }
        let isRight =
            signature.count == SHA256Digest.byteCount
            && HMACSHA256.isValid(tag: signature, of: authMessage, key: keys.server)
        guard isRight else { throw .wrongSignature }
    }

    private static func attributes(_ message: [UInt8]) throws(SCRAMFault) -> [Substring] {
        guard let text = Text.decode(message, limit: messageByteCountMax), !text.isEmpty,
            Text.isPrintableASCII(text)
        else { throw .malformed }
        return text.split(separator: ",", omittingEmptySubsequences: false)
    }
}

/// Why an exchange ended without a server that proved itself.
package enum SCRAMFault: Error, Equatable, Sendable {
    /// A message that was not awaited now.
    case outOfOrder
    /// Not the grammar of RFC 5802 section 7, or extensions that must be understood.
    case malformed
    /// The server's nonce does not begin with ours, or adds nothing to it.
    case otherNonce
    /// The server keeps another verifier than the one that belongs to the keys.
    case otherVerifier
    /// The server does not know the verifier.
    case wrongSignature
    /// The server said that the proof is wrong.
    case refused
}

extension Substring {
    /// What stands behind `name=`, if the attribute has that name.
    fileprivate func value(of name: String) -> String? {
        hasPrefix("\(name)=") ? String(dropFirst(name.count + 1)) : nil
    }
}

extension Certificate {
    /// What a client binds a session to: the certificate's hash by its own signature's hash
    /// function (RFC 5929 section 4.1); nil where that has none, as with Ed25519.
    package var serverEndPoint: [UInt8]? {
        signatureScheme?.hash?.digest(of: encoded)
    }
}
