import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Observability
import Testing
import Wire

@Suite struct OpeningTests {
    @Test func theFirstStartMakesOneTokenInTheFile() async throws {
        try await ControlFixture.with { fixture in
            let token = try #require(fixture.file.tokens.first)
            #expect(fixture.file.tokens.count == 1)
            let caller = try await fixture.control.identity.authenticate(
                token: token,
                sourceAddress: "127.0.0.1",
                requestID: "r"
            )
            #expect(caller.may(.sudo, on: "policies/anything"))
            let status = try await fixture.control.status()
            #expect(status.administratorCount == 1)
            #expect(status.bootstrapExpiresAt != nil)
            #expect(try await fixture.audited("cluster.create").count == 1)
            #expect(try await fixture.audited("server.start").count == 1)
        }
    }

    @Test func replicasThatStartTogetherMakeOneCluster() async throws {
        try await ControlFixture.withPool { _, pool in
            let file = ControlFixture.BootstrapFile()
            let starts = Counter()
            let clusters = try await withThrowingTaskGroup(of: UUIDv7.self) { group in
                for number in 1...5 {
                    group.addTask {
                        try await ControlFixture.open(
                            pool,
                            server: "server-\(number)",
                            file: file,
                            steps: [{ _, _ in starts.increment() }]
                        ).cluster.id
                    }
                }
                var ids: Set<UUIDv7> = []
                for try await id in group { ids.insert(id) }
                return ids
            }
            #expect(clusters.count == 1)
            #expect(file.tokens.count == 1)
            #expect(starts.value == 1)
        }
    }

    @Test func aStepThatFailsUndoesTheWholeStart() async throws {
        struct Broken: Error {}
        try await ControlFixture.withPool { _, pool in
            await #expect(throws: StartError.self) {
                try await ControlFixture.open(pool, steps: [{ _, _ in throw Broken() }])
            }
            let file = ControlFixture.BootstrapFile()
            let starts = Counter()
            _ = try await ControlFixture.open(
                pool,
                file: file,
                steps: [{ _, _ in starts.increment() }]
            )
            #expect(file.tokens.count == 1)
            #expect(starts.value == 1)
        }
    }

    @Test func aFileThatCannotBeWrittenUndoesTheStart() async throws {
        struct Full: Error {}
        try await ControlFixture.withPool { _, pool in
            let settings = try ControlFixture.settings()
            await #expect(throws: StartError.bootstrapFile("Full()")) {
                try await ControlPlane.open(
                    settings,
                    pool: pool,
                    key: ControlFixture.key,
                    surroundings: ControlFixture.surroundings(),
                    firstStart: FirstStart { _ in throw Full() }
                )
            }
            let file = ControlFixture.BootstrapFile()
            _ = try await ControlFixture.open(pool, file: file)
            #expect(file.tokens.count == 1)
        }
    }

    @Test func anotherTrustDomainIsRefused() async throws {
        try await ControlFixture.with { fixture in
            let expected = StartError.otherTrustDomain(
                database: try TrustDomain("example.org"),
                configured: try TrustDomain("example.net")
            )
            await #expect(throws: expected) {
                try await ControlFixture.open(fixture.pool, trustDomain: "example.net")
            }
        }
    }

    @Test func aTrustDomainWithoutRoomForServicesIsRefused() async throws {
        try await ControlFixture.withPool { _, pool in
            await #expect(throws: StartError.self) {
                try await ControlFixture.open(pool, trustDomain: "under_score.example")
            }
        }
    }

    @Test func anotherKeyIsRefused() async throws {
        try await ControlFixture.with { fixture in
            let other = Bytes.key(filledWith: 9)
            let expected = KeyError.otherKeyEncryptionKey(
                given: other.id,
                wanted: [ControlFixture.key.id]
            )
            await #expect(throws: StartError.keys(expected)) {
                try await ControlFixture.open(fixture.pool, key: other)
            }
            #expect("\(expected)".contains("give the key file of this cluster"))
        }
    }

    @Test func alteredKeysAreRefused() async throws {
        try await ControlFixture.with { fixture in
            try await fixture.tamper(
                """
                UPDATE turnpike.keyring SET wrapped =
                    (SELECT wrapped FROM turnpike.keyring WHERE purpose = 'ca')
                WHERE purpose = 'row-mac'
                """
            )
            await #expect(throws: StartError.keys(.altered("the key for row-mac"))) {
                try await ControlFixture.open(fixture.pool)
            }
        }
    }

    @Test func aClusterWithoutAdministratorGetsANewToken() async throws {
        try await ControlFixture.with { fixture in
            let file = ControlFixture.BootstrapFile()
            _ = try await ControlFixture.open(fixture.pool, file: file)
            #expect(file.tokens.isEmpty)
            try await fixture.tamper("DELETE FROM turnpike.tokens")
            _ = try await ControlFixture.open(fixture.pool, file: file)
            #expect(file.tokens.count == 1)
        }
    }

    @Test func theKeyringIsTheSameAfterARestart() async throws {
        try await ControlFixture.with { fixture in
            let place = SealedPlace(table: "authorities", column: "sealed_key", key: "1")
            let sealed = try fixture.control.keyring.seal(
                SecretBytes(copying: [1, 2, 3]),
                for: .ca,
                at: place,
                randomBytes: Randomness.bytes
            )
            let again = try await ControlFixture.open(fixture.pool)
            let opened = try again.keyring.open(sealed, for: .ca, at: place)
            #expect(opened.equalsInConstantTime(SecretBytes(copying: [1, 2, 3])))
        }
    }
}
