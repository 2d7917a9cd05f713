import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing

@testable import Control

@Suite struct KeyEncryptionKeysTests {
    @Test func aSecondKeyOpensTheDatabaseUntilTheFirstIsLetGo() async throws {
        try await ControlFixture.with { base in
            let successor = Bytes.key(filledWith: 77)
            let isNew = try await base.control.addKeyEncryptionKey(successor)
            #expect(isNew)
            // Said again at every start of every replica.
            let isNewAgain = try await base.control.addKeyEncryptionKey(successor)
            #expect(!isNewAgain)
            let stored = try await base.control.read { database in
                try await KeyRepository.rootKeys(in: database)
            }
            #expect(stored.count == 2)
            let keys = try await base.control.read { database in
                try await KeyRepository.keyring(in: database)
            }
            let opened = try Keyring.open(
                for: base.control.cluster,
                under: successor,
                roots: stored,
                keys: keys
            )
            #expect(opened.root.equalsInConstantTime(base.control.keyring.root))
            // The newer one is what the operator changes to, and nobody works with it yet.
            let early = await refusal {
                try await base.control.retireKeyEncryptionKeys(by: base.admin)
            }
            #expect(early?.code == "kek.newer_waits")
            try await base.tamper(
                """
                UPDATE turnpike.root_keys SET created_at = created_at - interval '1 day'
                WHERE kek_id = \(successor.id)
                """
            )
            let gone = try await base.control.retireKeyEncryptionKeys(by: base.admin)
            #expect(gone == [successor.id])
            let left = try await base.control.read { database in
                try await KeyRepository.rootKeys(in: database)
            }
            #expect(left.map(\.keyEncryptionKeyID) == [base.control.keyring.keyEncryptionKeyID])
            #expect(throws: KeyError.self) {
                try Keyring.open(
                    for: base.control.cluster,
                    under: successor,
                    roots: left,
                    keys: keys
                )
            }
        }
    }

    /// A replica that works with the older key could not be started again.
    @Test func aKeyIsNotLetGoWhileALiveReplicaWorksWithIt() async throws {
        try await ControlFixture.withPool { database, pool in
            let successor = Bytes.key(filledWith: 77)
            let old = try await ControlFixture.open(pool)
            try await old.announce(apiAddress: "a:1", agentAddress: "a:2")
            _ = try await old.addKeyEncryptionKey(successor)
            let new = try await ControlFixture.open(pool, server: "two", key: successor)
            try await new.announce(apiAddress: "b:1", agentAddress: "b:2")
            let admin = ControlFixture.administrator
            let behind = await refusal { try await new.retireKeyEncryptionKeys(by: admin) }
            #expect(behind?.code == "kek.replica_behind")
            #expect(behind?.description.contains(": one;") == true, "\(String(describing: behind))")
            let kept = try await new.read { try await KeyRepository.rootKeys(in: $0) }
            #expect(kept.count == 2)
            // A sign of life says the same again; that of an earlier version says nothing.
            try await old.keepHouse()
            #expect(await refusal { try await new.retireKeyEncryptionKeys(by: admin) } != nil)
            let owner = try await database.connect()
            try await owner.query(
                """
                UPDATE turnpike.servers SET last_seen = clock_timestamp(), kek_id = \(successor.id)
                WHERE name = 'one'
                """
            )
            let silent = await refusal { try await new.retireKeyEncryptionKeys(by: admin) }
            #expect(silent?.code == "kek.replica_behind")
            // Who has not been seen for a minute is away.
            try await owner.query(
                """
                UPDATE turnpike.servers SET last_seen = clock_timestamp() - interval '61 seconds'
                WHERE name = 'one'
                """
            )
            await owner.close()
            let gone = try await new.retireKeyEncryptionKeys(by: admin)
            #expect(gone == [old.keyring.keyEncryptionKeyID])
        }
    }

    /// A replica reads the keyring first and says last with which key it works.
    @Test func aReplicaWhoseKeyIsLetGoWhileItStartsDoesNotStart() async throws {
        try await ControlFixture.withPool { _, pool in
            let successor = Bytes.key(filledWith: 77)
            let old = try await ControlFixture.open(pool)
            _ = try await old.addKeyEncryptionKey(successor)
            let new = try await ControlFixture.open(pool, server: "two", key: successor)
            try await new.announce(apiAddress: "b:1", agentAddress: "b:2")
            let gone = try await new.retireKeyEncryptionKeys(by: ControlFixture.administrator)
            #expect(gone == [old.keyring.keyEncryptionKeyID])
            let refused = await refusal {
                try await old.announce(apiAddress: "a:1", agentAddress: "a:2")
            }
            #expect(refused?.code == "kek.retired")
            #expect(refused?.description.contains(successor.id) == true)
            let servers = try await new.status().servers
            #expect(servers.map(\.name) == ["two"])
        }
    }

    @Test func aWrapThatSomebodyAlteredProvesNothing() async throws {
        try await ControlFixture.with { base in
            let successor = Bytes.key(filledWith: 77)
            _ = try await base.control.addKeyEncryptionKey(successor)
            try await base.tamper(
                """
                UPDATE turnpike.root_keys SET wrapped = set_byte(wrapped, 20,
                    (get_byte(wrapped, 20) + 1) % 256) WHERE kek_id = \(successor.id)
                """
            )
            let error = await refusal { try await base.control.addKeyEncryptionKey(successor) }
            #expect(error?.code == "kek.unproven")
        }
    }
}
