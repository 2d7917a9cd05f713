/// Every reason for which a connection, a stream or a request is allowed, refused or ended.
///
/// The raw values are stable wire names: they stand in logs, metrics, evidence and SQL.
package enum DecisionReason: String, Hashable, Sendable, CaseIterable {
    // What the rules say.
    case allowedByIntention = "allowed_by_intention"
    case deniedByIntention = "denied_by_intention"
    case defaultDeny = "default_deny"
    case defaultAllow = "default_allow"
    case noPermissionMatched = "no_permission_matched"
    case permissionsNeedHTTP = "permissions_need_http"
    case policyChanged = "policy_changed"

    // Who is asked for.
    case noSuchService = "no_such_service"
    case unknownSNI = "unknown_sni"
    case serviceDisabled = "service_disabled"
    case noEndpoints = "no_endpoints"

    // Who asks.
    case noClientCertificate = "no_client_certificate"
    case untrustedChain = "untrusted_chain"
    case foreignTrustDomain = "foreign_trust_domain"
    case malformedSPIFFEID = "malformed_spiffe_id"
    case multipleURISANs = "multiple_uri_sans"
    case notAService = "not_a_service"
    case wrongEKUs = "wrong_ekus"
    case leafExpired = "leaf_expired"
    case leafNotYetValid = "leaf_not_yet_valid"
    case leafRevoked = "leaf_revoked"
    case uidNotAllowed = "uid_not_allowed"
    case socketOwnerUnknown = "socket_owner_unknown"
    case upstreamIdentityMismatch = "upstream_identity_mismatch"

    // How they speak.
    case tlsVersion = "tls_version"
    case tlsHandshakeFailed = "tls_handshake_failed"
    case alpnMismatch = "alpn_mismatch"
    case malformedRequest = "malformed_request"

    // What the agent itself lacks or limits.
    case snapshotMissing = "snapshot_missing"
    case ownCertificateMissing = "own_certificate_missing"
    case ownCertificateNotYetValid = "own_certificate_not_yet_valid"
    case ownCertificateExpired = "own_certificate_expired"
    case connectFailed = "connect_failed"
    case connectTimeout = "connect_timeout"
    case handshakeTimeout = "handshake_timeout"
    case idleTimeout = "idle_timeout"
    case peerReset = "peer_reset"
    case agentDraining = "agent_draining"
    case overloaded = "overloaded"
    case upstreamConnectionsExceeded = "upstream_connections_exceeded"
    case upstreamPendingExceeded = "upstream_pending_exceeded"
    case instanceDrained = "instance_drained"
    case internalFailure = "internal_failure"

    // What a program without a password meets on its way to a database.
    case leaseMissing = "lease_missing"
    case leaseEnded = "lease_ended"
    case targetRefused = "target_refused"

    // What an egress agent finds outside of the mesh.
    case outsideUnresolved = "outside_unresolved"
    case outsideAddressRefused = "outside_address_refused"
    case outsideUntrusted = "outside_untrusted"
    case outsideNameMismatch = "outside_name_mismatch"
    case outsideTLSFailed = "outside_tls_failed"

    /// One sentence for people; it names no identity and no secret.
    package var sentence: String {
        switch self {
        case .allowedByIntention: "An intention allows it."
        case .deniedByIntention: "An intention denies it."
        case .defaultDeny: "No intention decides it, and what no intention allows is denied."
        case .defaultAllow: "No intention decides it, and the bootstrap mode still allows that."
        case .noPermissionMatched:
            "The winning intention has permissions, none of them matches, so it is denied."
        case .permissionsNeedHTTP:
            "The winning intention has HTTP permissions, which a plain connection cannot meet."
        case .policyChanged: "A newer snapshot no longer allows it."
        case .noSuchService: "No such service is placed on this agent."
        case .unknownSNI: "The server name of the handshake is absent or no service's name."
        case .serviceDisabled:
            "The server could not encode the rules of this service, so all of it is denied."
        case .noEndpoints: "The destination has no instance that could be reached."
        case .noClientCertificate: "The peer showed no certificate."
        case .untrustedChain: "The peer's certificate does not lead to a trusted root."
        case .foreignTrustDomain: "The peer belongs to another trust domain."
        case .malformedSPIFFEID: "The peer's certificate holds no well-formed SPIFFE id."
        case .multipleURISANs: "The peer's certificate holds more than one URI."
        case .notAService: "The peer's identity is not that of a service."
        case .wrongEKUs: "The peer's certificate was not issued for this role."
        case .leafExpired: "The peer's certificate has expired."
        case .leafNotYetValid: "The peer's certificate is not valid yet."
        case .leafRevoked: "The peer's certificate has been revoked."
        case .uidNotAllowed: "The local user may not use this upstream port."
        case .socketOwnerUnknown: "The owner of the connecting socket could not be found."
        case .upstreamIdentityMismatch: "The destination showed another identity than asked for."
        case .tlsVersion: "The peer does not speak TLS 1.3."
        case .tlsHandshakeFailed: "The TLS handshake failed."
        case .alpnMismatch: "The peer asked for a protocol that is not spoken here."
        case .malformedRequest: "The request is malformed, so no rule was asked."
        case .snapshotMissing: "The agent has no snapshot yet."
        case .ownCertificateMissing: "The agent holds no certificate for this service."
        case .ownCertificateNotYetValid: "The agent's certificate for this service begins later."
        case .ownCertificateExpired:
            "The agent's certificate for this service has expired and no server renewed it."
        case .connectFailed: "The connection to the destination failed."
        case .connectTimeout: "The connection to the destination took too long."
        case .handshakeTimeout: "The handshake took too long."
        case .idleTimeout: "Nothing was sent for too long."
        case .peerReset: "The peer broke the connection off."
        case .agentDraining: "The agent is shutting down."
        case .overloaded: "The agent has reached a limit and sheds load."
        case .upstreamConnectionsExceeded:
            "The upstream port has as many connections as its limit allows."
        case .upstreamPendingExceeded:
            "As many connections wait for the destination as the upstream port's limit allows."
        case .instanceDrained:
            "The instance was deregistered and the time for its connections to finish is over."
        case .leaseMissing: "No lease of the upstream's profile could be had."
        case .leaseEnded: "The lease behind the session has ended."
        case .targetRefused: "The database refused the leased role."
        case .outsideUnresolved: "The external target's name has no address now."
        case .outsideAddressRefused:
            "The external target's name leads to the agent's own host or link."
        case .outsideUntrusted:
            "The external target's certificate is not valid under the declared authorities."
        case .outsideNameMismatch:
            "The external target's certificate does not have the declared name."
        case .outsideTLSFailed: "The external target did not complete a TLS handshake."
        case .internalFailure: "The agent failed; what it cannot decide it denies."
        }
    }
}

/// The two answers there are.
package enum Verdict: String, Hashable, Sendable, CaseIterable {
    case allow
    case deny
}
