package import Crypto

/// One file of `Migrations`, as it was built into the program.
package struct Migration: Equatable, Sendable {
    /// The number in the file's name, from 1 without gaps.
    package let version: Int
    /// The rest of the file's name, without its ending.
    package let name: String
    package let text: [UInt8]

    /// For tests; the real ones are in `all`.
    package init(version: Int, name: String, text: [UInt8]) {
        self.version = version
        self.name = name
        self.text = text
    }

    /// What the names of files begin with that take something away which earlier servers need.
    ///
    /// All others only add, so that a server which lacks them works on with what it knows.
    package static let contractPrefix = "contract_"

    /// What the database keeps of the text, to notice a file that was changed after it ran.
    package var checksum: SHA256Digest { SHA256.digest(of: text) }

    /// All migrations, in order; a new file gets its line here, and a test notices a missing one.
    package static let all: [Migration] = [
        Migration(
            version: 1,
            name: "foundation",
            text: PackageResources.m0001_foundation_sql
        ),
        Migration(version: 2, name: "spine", text: PackageResources.m0002_spine_sql),
        Migration(version: 3, name: "catalog", text: PackageResources.m0003_catalog_sql),
        Migration(version: 4, name: "authority", text: PackageResources.m0004_authority_sql),
        Migration(version: 5, name: "distribution", text: PackageResources.m0005_distribution_sql),
        Migration(version: 6, name: "dashboard", text: PackageResources.m0006_dashboard_sql),
        Migration(version: 7, name: "integrity", text: PackageResources.m0007_integrity_sql),
        Migration(version: 8, name: "traffic", text: PackageResources.m0008_traffic_sql),
        Migration(version: 9, name: "replicas", text: PackageResources.m0009_replicas_sql),
        Migration(version: 10, name: "revocation", text: PackageResources.m0010_revocation_sql),
        Migration(version: 11, name: "external", text: PackageResources.m0011_external_sql),
        Migration(version: 12, name: "keys", text: PackageResources.m0012_keys_sql),
        Migration(version: 13, name: "leases", text: PackageResources.m0013_leases_sql),
        Migration(version: 14, name: "secrets", text: PackageResources.m0014_secrets_sql),
        Migration(version: 15, name: "holders", text: PackageResources.m0015_holders_sql),
        Migration(version: 16, name: "logins", text: PackageResources.m0016_logins_sql),
        Migration(
            version: 17,
            name: "login_secrets",
            text: PackageResources.m0017_login_secrets_sql
        ),
        Migration(version: 18, name: "targets", text: PackageResources.m0018_targets_sql),
        Migration(
            version: 19,
            name: "passwordless",
            text: PackageResources.m0019_passwordless_sql
        ),
        Migration(
            version: 20,
            name: "identity_indexes",
            text: PackageResources.m0020_identity_indexes_sql
        ),
        Migration(
            version: 21,
            name: "accounts",
            text: PackageResources.m0021_accounts_sql
        ),
    ]
}

extension Migration: CustomStringConvertible {
    /// The file's name without its ending.
    package var description: String {
        let digits = String(version)
        return "m" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + name
    }
}
