package import Mesh
package import Store
package import Wire

/// Which principals of AWS log in by a role, and what the login gives.
package struct AWSRole: Equatable, Sendable {
    package static let boundsMax = 64
    package static let boundBytesMax = 512

    /// Twelve digits each; at least one.
    package var accounts: [String] = []
    /// ARNs of roles and users, in which `*` stands for any text behind the kind.
    package var principals: [String] = []
    /// What AWS never gives twice, such as `AROA…`; empty for whoever has the ARN.
    package var uniqueIDs: [String] = []
    /// Whether the signed header must hold a nonce of this server that nobody used before.
    package var needsNonce = true
    package var grant = TokenGrant()

    package init() {}

    static func isAccount(_ text: String) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { 0x30...0x39 ~= $0 }
    }

    /// Why somebody may not log in by the role; nil for somebody who may.
    func refusal(_ identity: AWSCallerIdentity) -> String? {
        guard accounts.contains(identity.account) else { return "aws_account" }
        guard
            principals.isEmpty
                || principals.contains(where: { TextGlob($0).matches(identity.principal) })
        else { return "aws_principal" }
        guard uniqueIDs.isEmpty || uniqueIDs.contains(identity.uniqueID) else {
            return "aws_unique_id"
        }
        return principals.isEmpty && uniqueIDs.isEmpty ? "unbound_role" : nil
    }
}

extension AWSRole: LoginRole {
    package static var method: AuthMethod { .aws }
    package static var kind: AuthEntryRow.Kind { .awsRole }

    /// As it is stored.
    package var document: Document {
        .fields([
            "accounts": .list(accounts),
            "principals": .list(principals),
            "unique_ids": .list(uniqueIDs),
            "needs_nonce": .bool(needsNonce),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let needsNonce = document["needs_nonce"]?.bool,
            let grant = TokenGrant(document["grant"])
        else { return nil }
        accounts = document["accounts"]?.items?.compactMap(\.text) ?? []
        principals = document["principals"]?.items?.compactMap(\.text) ?? []
        uniqueIDs = document["unique_ids"]?.items?.compactMap(\.text) ?? []
        self.needsNonce = needsNonce
        self.grant = grant
        guard self.document == document else { return nil }
    }

    package func check() throws(ControlError) {
        guard !accounts.isEmpty, accounts.allSatisfy(Self.isAccount) else {
            throw .invalid(
                "auth.unbound",
                field: "bound_account_id",
                "must have at least one account of 12 digits: names are the same in all of them"
            )
        }
        guard !principals.isEmpty || !uniqueIDs.isEmpty else {
            throw .invalid(
                "auth.unbound",
                field: "bound_iam_principal_arn",
                "must have at least one ARN, or bound_iam_principal_id at least one id"
            )
        }
        guard principals.allSatisfy(isBoundARN) else {
            throw .invalid(
                "auth.principal",
                field: "bound_iam_principal_arn",
                "must be arn:aws:iam::ACCOUNT:role/NAME or …:user/NAME of a bound account;"
                    + " * may stand behind the slash only"
            )
        }
    }

    private func isBoundARN(_ arn: String) -> Bool {
        ["aws", "aws-cn", "aws-us-gov"].contains { partition in
            accounts.contains { account in
                ["role", "user"].contains { kind in
                    let prefix = "arn:\(partition):iam::\(account):\(kind)/"
                    return arn.hasPrefix(prefix) && arn.utf8.count > prefix.utf8.count
                }
            }
        }
    }
}

/// How a mount asks AWS who somebody is.
package struct AWSConfiguration: Equatable, Sendable {
    package static let serverIDBytes = 8...128

    /// What the signed header must say; empty for trust domain and cluster.
    package var serverID = ""
    /// Where to ask instead of the region's own address; what is said there is believed.
    package var endpoint = ""
    /// The authorities of that server; empty for those of the system.
    package var endpointCAPEM = ""
    package var allowsPrivateAddresses = false

    package init() {}

    var document: Document {
        .fields([
            "server_id": .string(serverID),
            "endpoint": .string(endpoint),
            "endpoint_ca_pem": .string(endpointCAPEM),
            "private_addresses": .bool(allowsPrivateAddresses),
        ])
    }

    /// Nil for what no server wrote.
    init?(_ document: Document) {
        guard let serverID = document["server_id"]?.text,
            let endpoint = document["endpoint"]?.text,
            let roots = document["endpoint_ca_pem"]?.text,
            let isPrivate = document["private_addresses"]?.bool
        else { return nil }
        self.serverID = serverID
        self.endpoint = endpoint
        endpointCAPEM = roots
        allowsPrivateAddresses = isPrivate
        guard self.document == document else { return nil }
    }
}
