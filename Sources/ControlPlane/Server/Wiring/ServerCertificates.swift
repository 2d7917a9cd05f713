import Control
import Crypto
import Foundation
import Mesh
import Observability
import Reactor
import Synchronization
import TLS
import Wire

/// What this replica shows on its two ports; replaced before it ends, while connections go on.
final class ServerCertificates: Sendable {
    private struct Shown {
        var mesh: TLSCredentials
        var api: TLSCredentials
    }

    /// How often the certificates are made anew: well before the half of their life is over.
    static let renewalInterval: Duration = .seconds(6 * 3600)
    /// How soon it is tried again when that failed.
    static let retryInterval: Duration = .seconds(60)

    /// How soon it is noticed that another CA signs.
    static let lookInterval: Duration = .seconds(1)

    private let issuance: Issuance
    private let configuration: ServerConfiguration
    private let trustDomain: TrustDomain
    private let shown: Mutex<Shown>

    init(
        _ issuance: Issuance,
        _ configuration: ServerConfiguration,
        trustDomain: TrustDomain
    ) async throws(StartFailure) {
        self.issuance = issuance
        self.configuration = configuration
        self.trustDomain = trustDomain
        shown = Mutex(try await Self.make(issuance, configuration))
    }

    /// The server name under which hosts enrol.
    var enrolmentName: String { "enroll.\(trustDomain)" }
    /// The server name that agents ask for.
    var agentPortName: String { "server.\(trustDomain)" }

    /// For the API's port: the mesh certificate under the enrolment name, else the API's.
    func apiCredentials(for serverName: String?) -> TLSCredentials? {
        shown.withLock { serverName == enrolmentName ? $0.mesh : $0.api }
    }

    /// For the agents' port: nothing but its own name is answered.
    func agentCredentials(for serverName: String?) -> TLSCredentials? {
        serverName == agentPortName ? shown.withLock { $0.mesh } : nil
    }

    /// Makes them anew in time, and at once when another CA signs, until the task is cancelled; on
    /// failure the old ones stay.
    func renew(on reactor: Reactor, logger: Logger) async {
        var pause = Self.renewalInterval
        var rest = pause
        var issuer = issuance.issuer
        while true {
            do throws(CancellationError) {
                try await reactor.sleep(for: Self.lookInterval)
            } catch {
                return
            }
            rest -= Self.lookInterval
            guard rest <= .zero || (issuance.issuer != issuer && pause != Self.retryInterval)
            else { continue }
            defer { rest = pause }
            let next = issuance.issuer
            do throws(StartFailure) {
                let made = try await Self.make(issuance, configuration)
                shown.withLock { $0 = made }
                pause = Self.renewalInterval
                issuer = next
            } catch {
                pause = Self.retryInterval
                logger.error(
                    "the server's certificates were not renewed",
                    ["error": .describing(error)]
                )
            }
        }
    }

    private static func make(
        _ issuance: Issuance,
        _ configuration: ServerConfiguration
    ) async throws(StartFailure) -> Shown {
        do {
            let meshKey = try SigningKey.generate(.ecdsaP256)
            let mesh = try await issuance.issueServerLeaf(for: meshKey)
            return Shown(
                mesh: try TLSCredentials(chain: mesh.chain, key: meshKey),
                api: try apiCredentials(issuance, configuration)
            )
        } catch {
            throw .work("the server's certificates: \(error)")
        }
    }

    private static func apiCredentials(
        _ issuance: Issuance,
        _ configuration: ServerConfiguration
    ) throws -> TLSCredentials {
        if let own = configuration.apiCertificate {
            let chain = try FileSystem.read(own.certificateFile, byteCountMax: 1 << 20)
            var key = try FileSystem.readSecret(own.keyFile, byteCountMax: 1 << 16)
            defer { SecretBytes.wipe(&key) }
            return try TLSCredentials(
                chainPEM: String(decoding: chain, as: UTF8.self),
                privateKeyPEM: String(decoding: key, as: UTF8.self)
            )
        }
        let key = try SigningKey.generate(.ecdsaP256)
        let issued = try issuance.issueAPILeaf(for: key, names: names(configuration))
        return try TLSCredentials(chain: issued.chain, key: key)
    }

    private static func names(_ configuration: ServerConfiguration) -> [GeneralName] {
        var texts = configuration.apiNames
        if let address = configuration.apiAddress.ipAddress, !address.isUnspecified {
            texts.append("\(address)")
        }
        for advertised in [configuration.advertisedAPIAddress].compactMap({ $0 }) {
            if let colon = advertised.lastIndex(of: ":") {
                texts.append(String(advertised[..<colon]))
            }
        }
        var names: [GeneralName] = []
        for text in texts {
            let bare = text.hasPrefix("[") ? String(text.dropFirst().dropLast()) : text
            let name: GeneralName =
                if let address = try? Mesh.IPAddress(bare) { .ip(address.bytes) } else {
                    .dns(bare)
                }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}
