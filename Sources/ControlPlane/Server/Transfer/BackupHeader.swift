import Mesh
import Store
import Wire

/// What the first line of a backup says: enough to know what it is and what opens it.
struct BackupHeader: Equatable {
    /// The first bytes of every backup that can be proved.
    static let magic = "turnpike-backup/2\n"
    /// Of those of earlier versions, which nothing proves.
    static let unprovenMagic = "turnpike-backup/1\n"
    static let byteCountMax = 64 << 10
    private static let keysMax = 64

    let trustDomain: String
    let clusterID: String
    let createdAt: String
    /// The version of the program that made it.
    let version: String
    /// Of the server that was copied; restored by this or a newer one.
    let postgresMajor: Int
    let schemaVersion: Int
    let revision: Int64
    let epoch: Int64
    let trustVersion: Int64
    /// What opens the root key, as `provider:id`: one of them is enough.
    let keyIDs: [String]
    /// How they do; empty in a backup that cannot be proved.
    let rootKeys: [WrappedRootKey]

    init(
        _ summary: DatabaseSummary,
        createdAt: String,
        version: String,
        postgresMajor: Int
    ) {
        trustDomain = summary.trustDomain.text
        clusterID = summary.clusterID.description
        self.createdAt = createdAt
        self.version = version
        self.postgresMajor = postgresMajor
        schemaVersion = summary.schemaVersion
        revision = summary.revision
        epoch = summary.epoch
        trustVersion = summary.trustVersion
        rootKeys = summary.rootKeys
        keyIDs = rootKeys.map { "\($0.provider):\($0.keyEncryptionKeyID)" }
    }

    /// The line, with its end.
    var encoded: [UInt8] {
        JSON.canonical(
            .fields([
                "trust_domain": .string(trustDomain), "cluster_id": .string(clusterID),
                "created_at": .string(createdAt), "version": .string(version),
                "postgres_major": .number(postgresMajor),
                "schema_version": .number(schemaVersion), "revision": .number(Int(revision)),
                "epoch": .number(Int(epoch)), "trust_version": .number(Int(trustVersion)),
                "key_ids": .list(keyIDs.map(Document.string)),
                "root_keys": rootKeys.isEmpty ? nil : .list(rootKeys.map(\.document)),
            ])
        ) + [10]
    }

    /// Reads the line without its end; nil for anything else.
    init?(_ line: [UInt8]) {
        guard line.count <= Self.byteCountMax,
            let document = try? JSON.parse(line, source: "the backup's header"),
            let trustDomain = document["trust_domain"]?.text,
            let clusterID = document["cluster_id"]?.text,
            let createdAt = document["created_at"]?.text,
            let version = document["version"]?.text,
            let major = document["postgres_major"]?.integer,
            let schema = document["schema_version"]?.integer,
            let revision = document["revision"]?.integer, let epoch = document["epoch"]?.integer,
            let trustVersion = document["trust_version"]?.integer,
            let keys = document["key_ids"]?.items, keys.count <= Self.keysMax
        else { return nil }
        self.trustDomain = trustDomain
        self.clusterID = clusterID
        self.createdAt = createdAt
        self.version = version
        postgresMajor = Int(clamping: major)
        schemaVersion = Int(clamping: schema)
        self.revision = revision
        self.epoch = epoch
        self.trustVersion = trustVersion
        let roots = document["root_keys"]?.items ?? []
        guard roots.count <= Self.keysMax else { return nil }
        rootKeys = roots.compactMap(WrappedRootKey.init)
        guard rootKeys.count == roots.count else { return nil }
        keyIDs = keys.compactMap(\.text)
    }

    /// For people.
    var description: String {
        """
        trust domain    \(trustDomain)
        cluster         \(clusterID)
        made            \(createdAt) by turnpike-server \(version)
        PostgreSQL      \(postgresMajor), schema \(schemaVersion)
        revision        \(revision) of epoch \(epoch), trust document \(trustVersion)
        opened by       \(keyIDs.joined(separator: " or "))
        """
    }
}

extension WrappedRootKey {
    fileprivate var document: Document {
        .fields([
            "version": .number(version), "provider": .string(provider),
            "id": .string(keyEncryptionKeyID), "wrapped": .string(Base64.encode(wrapped)),
        ])
    }

    fileprivate init?(_ document: Document) {
        guard let version = document["version"]?.integer,
            let provider = document["provider"]?.text, let id = document["id"]?.text,
            let text = document["wrapped"]?.text, let wrapped = try? Base64.decode(text)
        else { return nil }
        self.init(
            version: Int(clamping: version),
            provider: provider,
            keyEncryptionKeyID: id,
            wrapped: wrapped
        )
    }
}
