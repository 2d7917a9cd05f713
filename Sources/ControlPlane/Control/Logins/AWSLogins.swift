import Crypto
import Mesh
import Observability
import Store
import Transport
import Wire

/// Logins of whoever can sign at AWS: STS says who signed, and the role whether they may.
package struct AWSLogins: Sendable {
    package static let nonceLifetime: Duration = .seconds(60)
    /// For how long a signature is remembered: AWS takes it for no longer.
    static let replayLifetime: Duration = .seconds(900)
    private static let nonceRandomByteCount = 16
    private static let nonceLabel = "aws-nonce"
    /// Of a signature or nonce that somebody else used first.
    private static let replayed = ControlError.invalid("auth.replayed", field: "", "used before")

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    // MARK: Configuration

    /// How a mount asks AWS; nil before anything was said.
    package func configuration(_ mount: String) async throws(ControlError) -> AWSConfiguration? {
        _ = try await control.authMounts.require(mount, .aws)
        return try await stored(mount)
    }

    private func stored(_ mount: String) async throws(ControlError) -> AWSConfiguration? {
        guard
            let row = try await control.authMounts.entry(Self.path(mount), .awsConfiguration)
        else { return nil }
        guard let configuration = AWSConfiguration(row.document) else {
            throw .faulted(Complaint("auth.aws", "the login's settings cannot be read"))
        }
        return configuration
    }

    /// Says how a mount asks AWS.
    package func configure(
        _ mount: String,
        _ configuration: AWSConfiguration,
        by caller: Caller
    ) async throws(ControlError) {
        let found = try await control.authMounts.require(mount, .aws)
        let serverID = configuration.serverID
        guard serverID.isEmpty || AWSConfiguration.serverIDBytes.contains(serverID.utf8.count),
            Text.isPrintableASCII(serverID), !serverID.utf8.contains(UInt8(ascii: ";"))
        else {
            throw .invalid(
                "auth.server_id",
                field: "iam_server_id_header_value",
                "must have 8 to 128 printable ASCII characters without a semicolon"
            )
        }
        guard configuration.endpoint.isEmpty || DocumentAddress(configuration.endpoint) != nil
        else {
            throw .invalid("auth.endpoint", field: "sts_endpoint", "must be https://host[:port]/")
        }
        try await control.authMounts.put(
            Self.path(mount),
            below: found,
            .awsConfiguration,
            configuration.document,
            by: caller
        )
    }

    /// What the signed header must say where a mount says nothing else.
    private func serverID(_ configuration: AWSConfiguration?) -> String {
        let own = configuration?.serverID ?? ""
        return own.isEmpty ? "\(control.trustDomain)/\(control.clusterID)" : own
    }

    // MARK: Nonces

    /// What a client signs as the header's value: it counts once, for `nonceLifetime`.
    ///
    /// Nothing is kept of it, so that nobody fills a table by asking.
    package func nonce(
        _ mount: String,
        by caller: Caller
    ) async throws(ControlError) -> (nonce: String, header: String) {
        let found = try await control.authMounts.require(mount, .aws)
        let configuration = try await stored(mount)
        let now = try await control.read { try await ServerRepository.time(in: $0) }
        var writer = ByteWriter(reservingCapacity: 64)
        writer.writeInt64(now.microsecondsSinceEpoch)
        writer.writeBytes(control.surroundings.randomBytes(Self.nonceRandomByteCount))
        let tag = control.keyring.hmacs(of: writer.bytes, label: Self.label(found)).first ?? []
        let nonce = Base64URL.encode(writer.bytes + tag)
        return (nonce, "\(serverID(configuration));\(nonce)")
    }

    private static func label(_ mount: AuthMount) -> String { "\(nonceLabel)/\(mount.accessor)" }

    private func isFresh(_ nonce: String, _ mount: AuthMount, _ now: Timestamp) -> Bool {
        let prefix = 8 + Self.nonceRandomByteCount
        guard let bytes = try? Base64URL.decode(nonce), bytes.count == prefix + 32 else {
            return false
        }
        let body = Array(bytes[..<prefix])
        let tag = Array(bytes[prefix...])
        let isOurs = control.keyring.hmacs(of: body, label: Self.label(mount)).contains {
            constantTimeEquals($0, tag)
        }
        var reader = ByteReader(body)
        guard isOurs, let made = try? reader.readInt64() else { return false }
        let age = now.microsecondsSinceEpoch - made
        return (0...Self.nonceLifetime.components.seconds * 1_000_000).contains(age)
    }

    // MARK: Login

    /// Gives a token to whoever signed a request that STS takes.
    package func logIn(
        _ shown: Shown,
        role name: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(shown, name, mount, caller)
        }
    }

    /// The four fields as clients of Vault send them, not looked at yet.
    package struct Shown: Sendable {
        let method: String
        let url: String
        let body: String
        let headers: String

        package init(method: String, url: String, body: String, headers: String) {
            self.method = method
            self.url = url
            self.body = body
            self.headers = headers
        }
    }

    private func judge(
        _ shown: Shown,
        _ name: String,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .aws)
        let configuration = try await stored(mount)
        let path = AWSRole.path(name, at: mount)
        let entry = try await control.authMounts.entry(path, AWSRole.kind)
        guard let row = entry, let role = AWSRole(row.document) else {
            throw await control.refuseLogin("unknown_role", caller, at: "auth/\(mount)")
        }
        let now = try await control.read { try await ServerRepository.time(in: $0) }
        let proof: AWSIdentityProof
        do throws(AWSIdentityProof.Refusal) {
            proof = try AWSIdentityProof(
                method: shown.method,
                url: shown.url,
                body: shown.body,
                headers: shown.headers
            )
        } catch {
            throw await control.refuseLogin(error.rawValue, caller, at: path)
        }
        if let reason = early(proof, role, found, configuration, caller, now) {
            throw await control.refuseLogin(reason, caller, at: path)
        }
        guard let identity = try await identity(proof, configuration) else {
            throw await control.refuseLogin("aws_refused", caller, at: path)
        }
        if let reason = role.refusal(identity) {
            throw await control.refuseLogin(reason, caller, at: path)
        }
        do throws(ControlError) {
            return try await control.tokens.grant(
                login(found, row, role, name, identity, proof),
                by: caller
            )
        } catch {
            guard error == Self.replayed else { throw error }
            throw await control.refuseLogin("aws_replayed", caller, at: path)
        }
    }

    /// What is wrong with a proof before anybody is asked about it.
    private func early(
        _ proof: AWSIdentityProof,
        _ role: AWSRole,
        _ mount: AuthMount,
        _ configuration: AWSConfiguration?,
        _ caller: Caller,
        _ now: Timestamp
    ) -> String? {
        let skew = AWSIdentityProof.skewMax
        guard proof.signedAt + skew > now, proof.signedAt < now + skew else { return "aws_date" }
        let parts = proof.serverID.split(separator: ";", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2,
            constantTimeEquals(Array(first.utf8), Array(serverID(configuration).utf8))
        else { return "aws_server_id" }
        if parts.count == 2 {
            guard isFresh(String(parts[1]), mount, now) else { return "aws_nonce" }
        } else if role.needsNonce {
            return "aws_no_nonce"
        }
        return Identity.mayCome(from: caller.sourceAddress, role.grant.boundCIDRs)
            ? nil : "elsewhere"
    }

    /// Who STS says that it is; nil for nobody.
    private func identity(
        _ proof: AWSIdentityProof,
        _ configuration: AWSConfiguration?
    ) async throws(ControlError) -> AWSCallerIdentity? {
        var fields = [
            ("accept", "text/xml"), ("content-type", AWSIdentityProof.contentType),
            ("x-amz-date", proof.date), ("authorization", proof.authorization),
            (AWSIdentityProof.serverIDField, proof.serverID),
        ].map { (name: $0.0, value: $0.1) }
        if let token = proof.securityToken {
            fields.append((name: "x-amz-security-token", value: token))
        }
        let endpoint = configuration?.endpoint ?? ""
        let place = OutsideServers.Place(
            address: endpoint.isEmpty ? "https://\(proof.host)/" : endpoint,
            rootsPEM: configuration?.endpointCAPEM ?? "",
            mayBePrivate: !endpoint.isEmpty && configuration?.allowsPrivateAddresses == true,
            byteCountMax: AWSCallerIdentity.answerBytesMax
        )
        let request = DocumentFetch.Request(
            host: proof.host,
            fields: fields,
            body: Array(AWSIdentityProof.body.utf8)
        )
        let reply: DocumentFetch.Reply
        do throws(DocumentFetchError) {
            reply = try await control.outside.ask(place, request)
        } catch {
            control.logger.warning(
                "STS could not be asked",
                ["reason": .text(error.description)]
            )
            throw Self.unavailable
        }
        if reply.status >= 500 { throw Self.unavailable }
        guard reply.status == 200, reply.mediaType == "text/xml" else { return nil }
        return AWSCallerIdentity(answer: reply.body)
    }

    private func login(
        _ mount: AuthMount,
        _ row: AuthEntryRow,
        _ role: AWSRole,
        _ name: String,
        _ identity: AWSCallerIdentity,
        _ proof: AWSIdentityProof
    ) -> Tokens.Login {
        var login = Tokens.Login(
            mount: mount,
            role: row,
            grant: role.grant,
            displayName: "\(mount.path)-\(identity.principal.split(separator: "/").last ?? "")",
            metadata: [
                "account_id": identity.account,
                "auth_type": "iam",
                "canonical_arn": identity.principal,
                "client_arn": identity.arn,
                "client_user_id": identity.userID,
                "role_name": name,
            ]
        )
        login.consume = { act in
            var once = [proof.signature]
            if proof.serverID.contains(";") { once.append("nonce;\(proof.serverID)") }
            for text in once {
                let isFirst = try await LoginReplayRepository.use(
                    SHA256.digest(of: Array(text.utf8)).bytes,
                    until: act.at + Self.replayLifetime,
                    in: act.database
                )
                guard isFirst else { throw Self.replayed }
            }
        }
        return login
    }

    private static let unavailable = ControlError.unavailable(
        Complaint("auth.no_sts", "AWS cannot be asked at this moment")
    )

    private static func path(_ mount: String) -> String { "auth/\(mount)/config/client" }
}

extension ControlPlane {
    /// Logins of whoever can sign at AWS.
    package var awsLogins: AWSLogins { AWSLogins(self) }
}
