package import Wire

/// The keys of one issuer (RFC 7517 §5), and the only way to what a token says.
package struct JSONWebKeySet: Sendable {
    /// The longest text of a set.
    package static let textBytesMax = 150_000
    /// The most keys of a set.
    package static let keysMax = 100

    private static let limits = DocumentLimits(
        bytes: ByteCount(bytes: textBytesMax),
        depth: 8,
        nodes: 10_000
    )

    /// Those that verify signatures.
    package let keys: [JSONWebKey]

    /// Whether keys without names are tried in turn; otherwise a token names its key unless there is
    /// one only.
    private let areTriedInTurn: Bool

    /// Keys without names, of which any may have signed; at least one.
    package init(trying keys: [JSONWebKey]) throws(JOSEError) {
        guard (1...Self.keysMax).contains(keys.count) else {
            throw .unusableKey(problem: "there must be 1 to \(Self.keysMax) keys")
        }
        self.keys = keys
        areTriedInTurn = true
    }

    /// Reads the text of a set of public keys, as an issuer publishes it.
    package init(publicText bytes: [UInt8]) throws(JOSEError) {
        let document: Document
        do {
            document = try JSON.parse(bytes, source: "key set", limits: Self.limits)
        } catch {
            throw .unusableKey(problem: "the set is no JSON: \(error.problem)")
        }
        guard document["keys"] != nil else {
            throw .unusableKey(problem: "a set is a JSON object with keys")
        }
        try self.init(document)
        guard !keys.contains(where: \.isShared) else {
            throw .unusableKey(problem: "a shared key is never published")
        }
    }

    /// Reads a set, or a single key as a set of one.
    ///
    /// Keys for another purpose and of unknown kinds are passed over (RFC 7517 §5); one that is
    /// malformed or weak, two of the same name, and shared keys beside public ones spoil the set.
    package init(_ document: Document) throws(JOSEError) {
        areTriedInTurn = false
        guard let list = document["keys"] else {
            keys = [try JSONWebKey(document)]
            return
        }
        guard let items = list.items, items.count <= Self.keysMax else {
            throw .unusableKey(problem: "keys must be a list of at most \(Self.keysMax)")
        }
        var names: Set<[UInt8]> = []
        var usable: [JSONWebKey] = []
        for item in items {
            if let name = item["kid"]?.text, !names.insert(Array(name.utf8)).inserted {
                throw .unusableKey(problem: "two keys have the same kid")
            }
            do throws(JOSEError) {
                usable.append(try JSONWebKey(item))
            } catch {
                switch error {
                case .otherPurpose, .unsupported: continue
                case .malformed, .unusableKey, .unknownKey, .keyNotNamed, .wrongAlgorithm,
                    .wrongSignature:
                    throw error
                }
            }
        }
        guard !usable.isEmpty else {
            throw .unusableKey(problem: "no key of the set verifies signatures")
        }
        guard Set(usable.map(\.isShared)).count == 1 else {
            throw .unusableKey(problem: "shared keys stand beside public ones")
        }
        keys = usable
    }

    /// Whether a token that names this key could be verified at all; for whoever fetches sets.
    package func has(keyID: String?) -> Bool {
        guard let keyID, !areTriedInTurn else { return true }
        return keys.contains { Self.isSame($0.keyID, keyID) }
            || (keys.count == 1 && keys[0].keyID == nil)
    }

    /// Gives the contents of a token that one of the keys has signed.
    package func verify(
        _ jws: CompactJWS,
        allowing allowed: Set<JWSAlgorithm> = JWSAlgorithm.asymmetric
    ) throws(JOSEError) -> [UInt8] {
        guard allowed.contains(jws.algorithm) else { throw .wrongAlgorithm }
        let candidates = try candidates(for: jws).filter {
            $0.algorithms.contains(jws.algorithm)
        }
        guard !candidates.isEmpty else { throw .wrongAlgorithm }
        guard candidates.contains(where: { $0.isValid(jws) }) else { throw .wrongSignature }
        return jws.payload
    }

    private func candidates(for jws: CompactJWS) throws(JOSEError) -> [JSONWebKey] {
        if areTriedInTurn { return keys }
        guard let keyID = jws.keyID else {
            guard keys.count == 1 else { throw .keyNotNamed }
            return keys
        }
        if let named = keys.first(where: { Self.isSame($0.keyID, keyID) }) { return [named] }
        guard keys.count == 1, keys[0].keyID == nil else { throw .unknownKey }
        return keys
    }

    private static func isSame(_ left: String?, _ right: String) -> Bool {
        left?.utf8.elementsEqual(right.utf8) ?? false
    }
}
