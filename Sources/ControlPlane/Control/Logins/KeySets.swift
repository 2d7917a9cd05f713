import Crypto
import Mesh
import Observability
import Synchronization
import Transport
import Wire

/// The keys that issuers publish, as this replica fetched them: one request at a time for each.
final class KeySets: Sendable {
    static let issuersMax = 256

    private struct Issuer {
        var version: Int64
        var state = KeySetState()
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let surroundings: Surroundings
    private let outside: OutsideServers
    private let issuers = Mutex<[String: Issuer]>([:])

    init(_ surroundings: Surroundings, _ outside: OutsideServers) {
        self.surroundings = surroundings
        self.outside = outside
    }

    /// The keys for a token that names one; nil when there are none and none can be had now.
    func keys(
        for configuration: JWTConfiguration,
        at path: String,
        version: Int64,
        keyID: String?,
        isPlausible: Bool
    ) async -> JSONWebKeySet? {
        // Waiting and asking come to an end: after each of them there are keys, or a pause.
        for _ in 0..<4 {
            let now = surroundings.instant()
            let step = issuers.withLock { issuers in
                Self.entry(path, version, in: &issuers)
                // A request that was judged by what has been replaced has nothing to ask for.
                guard issuers[path]?.version == version else { return KeySetState.Step.unavailable }
                return issuers[path]?.state.ask(
                    keyID: keyID,
                    isPlausible: isPlausible,
                    now: now
                ) ?? .unavailable
            }
            switch step {
            case .use(let set): return set
            case .unavailable: return nil
            case .wait: await turn(at: path, version)
            case .fetch:
                let outcome = await Self.outcome { () async throws(DocumentFetchError) in
                    try await self.fetch(configuration)
                }
                settle(outcome, at: path, version)
            }
        }
        return nil
    }

    /// What is wrong with an issuer that is about to be trusted; nil if its keys can be had.
    func probe(_ configuration: JWTConfiguration) async -> String? {
        let outcome = await Self.outcome { () async throws(DocumentFetchError) in
            try await self.fetch(configuration)
        }
        guard case .failure(let error) = outcome else { return nil }
        return error.description
    }

    /// Fetches and reads the keys of a configuration once, without keeping them.
    func fetch(
        _ configuration: JWTConfiguration
    ) async throws(DocumentFetchError) -> (set: JSONWebKeySet, maxAge: Duration?) {
        let request = DocumentFetch.Request(fields: [("accept", "application/json")])
        let answer = try await outside.ask(
            OutsideServers.Place(
                address: configuration.jwksURL,
                rootsPEM: configuration.jwksCAPEM,
                mayBePrivate: configuration.allowsPrivateAddresses,
                byteCountMax: JSONWebKeySet.textBytesMax
            ),
            request
        )
        guard answer.status == 200 else { throw .status(answer.status) }
        do throws(JOSEError) {
            return (try JSONWebKeySet(publicText: answer.body), answer.maxAge)
        } catch {
            throw .failed(error.description)
        }
    }

    private static func outcome<Value>(
        _ body: () async throws(DocumentFetchError) -> Value
    ) async -> Result<Value, DocumentFetchError> {
        do throws(DocumentFetchError) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    /// A configuration that was changed begins anew.
    private static func entry(_ path: String, _ version: Int64, in issuers: inout [String: Issuer])
    {
        if let known = issuers[path], known.version >= version { return }
        if issuers[path] == nil, issuers.count >= issuersMax {
            // Whoever waits is let go, and finds no keys.
            for issuer in issuers.values { for waiter in issuer.waiting { waiter.resume() } }
            issuers = [:]
        }
        let waiting = issuers[path]?.waiting ?? []
        issuers[path] = Issuer(version: version)
        for waiter in waiting { waiter.resume() }
    }

    private func turn(at path: String, _ version: Int64) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isQueued = issuers.withLock { issuers in
                guard issuers[path]?.version == version, issuers[path]?.state.isFetching == true
                else { return false }
                issuers[path]?.waiting.append(continuation)
                return true
            }
            if !isQueued { continuation.resume() }
        }
    }

    private func settle(
        _ outcome: Result<(set: JSONWebKeySet, maxAge: Duration?), DocumentFetchError>,
        at path: String,
        _ version: Int64
    ) {
        if case .failure(let error) = outcome {
            surroundings.logger.warning(
                "the keys of an issuer could not be fetched",
                ["path": .text(path), "reason": .text(error.description)]
            )
        }
        let now = surroundings.instant()
        let jitter = surroundings.fraction()
        let waiting = issuers.withLock { issuers in
            guard issuers[path]?.version == version else {
                return [CheckedContinuation<Void, Never>]()
            }
            switch outcome {
            case .success(let fetched):
                issuers[path]?.state.fetched(
                    fetched.set,
                    maxAge: fetched.maxAge,
                    jitter: jitter,
                    now: now
                )
            case .failure: issuers[path]?.state.failed()
            }
            defer { issuers[path]?.waiting = [] }
            return issuers[path]?.waiting ?? []
        }
        for waiter in waiting { waiter.resume() }
    }
}

extension Mesh.IPAddress {
    /// Whether it leads to the public network: no private, shared or unique local range (RFC 1918, RFC
    /// 6598, RFC 4193), and nothing local.
    var isPublic: Bool {
        guard reach == .outside else { return false }
        let plain = unwrapped
        let bytes = plain.bytes
        if plain.isVersion6 { return bytes[0] & 0xFE != 0xFC }
        switch (bytes[0], bytes[1]) {
        case (10, _), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19): return false
        default: return true
        }
    }
}
