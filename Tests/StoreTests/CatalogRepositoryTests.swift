import Crypto
import Mesh
import Postgres
import Store
import Support
import Synchronization
import Testing
import Wire

@Suite struct CatalogRepositoryTests {
    private let at = Timestamp(secondsSinceEpoch: 1_700_000_000)
    private let rowGuard = RowGuard(
        keys: [1: SecretBytes(copying: [UInt8](repeating: 9, count: 32))],
        activeVersion: 1
    ) { _ in }

    private func stored<Value>(_ value: Value, _ revision: Int64 = 1) -> Stored<Value> {
        Stored(value, revision: revision, createdAt: at, updatedAt: at, createdBy: "token/t")
    }

    private func resources() throws -> [Resource] {
        let web = try ServiceName("web")
        let agent = try AgentName("a-1")
        let id = UUIDv7(timestamp: at, random: [UInt8](repeating: 5, count: 10))
        return [
            .namespace(Namespace(name: try NamespaceName("shop"), description: "Sales")),
            .service(
                ServiceResource(
                    service: Service(
                        name: web,
                        applicationProtocol: .http,
                        leafLifetime: .seconds(600),
                        description: "Front",
                        meta: ["team": "sales", "käse": "ja"]
                    )
                )
            ),
            .placement(Placement(service: web, agent: agent)),
            .instance(
                Instance(
                    service: web,
                    agent: agent,
                    name: try InstanceName("main"),
                    address: try IPAddress("::1"),
                    port: 65_535,
                    weight: 0
                )
            ),
            .external(
                ExternalTarget(
                    service: web,
                    agent: agent,
                    host: try OutsideHost("db.example.com"),
                    port: 5432,
                    security: .verified(
                        serverName: try OutsideHost("2001:db8::1"),
                        authorities: [[0x30, 0x03, 1, 1, 0], [0x30, 0x00]]
                    ),
                    allowsLocal: true
                )
            ),
            .upstream(
                Upstream(
                    agent: agent,
                    source: web,
                    destination: web,
                    port: 1,
                    users: .only([0, 4_294_967_294])
                )
            ),
            .intention(
                Intention(
                    id: try RuleID(id.description),
                    source: .namespace(.default),
                    destination: .exact(web),
                    effect: .permissions([
                        Permission(
                            action: .allow,
                            http: HTTPCondition(path: .prefix("/v1"), methods: ["GET"])
                        )
                    ]),
                    meta: ["a": "b"],
                    owner: "",
                    notBefore: at,
                    notAfter: at + .microseconds(1)
                )
            ),
        ]
    }

    /// Runs a body in a transaction with a stored agent and every kind of resource.
    private func withCatalog(
        _ body: (PostgresTransaction) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let connection = try await database.connect()
            let outcome: Result<Void, any Error>
            do {
                try await connection.query(
                    """
                    INSERT INTO turnpike.agents (name, state, revision, created_by, mac)
                    VALUES ('a-1', 'enrolled', 0, 'test', '')
                    """
                )
                let failure: BodyFailure? = try await connection.withTransaction(
                    isolation: .readCommitted
                ) { transaction throws(PostgresError) in
                    do {
                        for resource in try resources() {
                            let put = CatalogRepository.put(stored(resource), guardedBy: rowGuard)
                            try await transaction.query(put)
                        }
                        try await body(transaction)
                        return nil
                    } catch {
                        if let error = error as? PostgresError { throw error }
                        return BodyFailure(error: error)
                    }
                }
                if let failure { throw failure.error }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await connection.close()
            try outcome.get()
        }
    }

    private struct BodyFailure: Sendable { let error: any Error }

    @Test func whatIsStoredIsReadBack() async throws {
        try await withCatalog { transaction in
            let resources = try resources()
            let found = try await CatalogRepository.find(
                resources.compactMap(\.key),
                guardedBy: rowGuard,
                in: transaction
            )
            for resource in resources {
                let key = try #require(resource.key)
                #expect(found[key] == stored(resource))
            }
            #expect(found.count == resources.count)
            for resource in resources.reversed() {
                let key = try #require(resource.key)
                let count = try await transaction.execute(CatalogRepository.delete(key))
                #expect(count == 1)
            }
        }
    }

    @Test func everyListHoldsItsRow() async throws {
        try await withCatalog { transaction in
            let namespaces = try await NamespaceRepository.list(
                after: "default",
                limit: 5,
                in: transaction
            )
            #expect(namespaces.items.map(\.value.name.text) == ["shop"])
            let web = try ServiceName("web")
            let services = try await ServiceRepository.list(
                namespace: .default,
                after: "default/w",
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(services.items.map(\.value.name) == [web])
            let placements = try await PlacementRepository.list(
                service: web,
                agent: try AgentName("a-1"),
                after: "default/web/a-0",
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(placements.items.map(\.value.service) == [web])
            let instances = try await InstanceRepository.list(
                service: web,
                after: "default/web/a-1/main",
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(instances == Page(items: [], next: nil))
            let externals = try await ExternalRepository.list(
                service: web,
                agent: try AgentName("a-1"),
                after: "default/web/a-0",
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(externals.items.map(\.value.port) == [5432])
            let upstreams = try await UpstreamRepository.list(
                source: web,
                destination: web,
                after: "a-1/0",
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(upstreams.items.map(\.value.port) == [1])
            let about = try await IntentionRepository.find(
                about: web,
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(about.count == 1)
            let others = try await IntentionRepository.list(
                destination: .any,
                after: nil,
                limit: 5,
                guardedBy: rowGuard,
                in: transaction
            )
            #expect(others.items.isEmpty)
        }
    }

    @Test(
        arguments: [
            "UPDATE turnpike.intentions SET permissions = '[]'",
            "UPDATE turnpike.intentions SET permissions = NULL, action = 'allow'",
            "UPDATE turnpike.intentions SET source_namespace = '*', source_name = '*'",
            "UPDATE turnpike.intentions SET not_after = NULL",
            "UPDATE turnpike.intentions SET id = gen_random_uuid()",
            "UPDATE turnpike.intentions SET revision = revision + 1",
            "UPDATE turnpike.intentions SET created_by = 'token/other'",
            "UPDATE turnpike.intentions SET mac = ''",
        ] as [SQL]
    )
    func aRuleThatWasAlteredIsAbsent(_ tampering: SQL) async throws {
        try await withCatalog { transaction in
            let count = try await transaction.execute(tampering)
            #expect(count == 1)
            let alarms = Mutex<[RowAlarm]>([])
            let watching = RowGuard(
                keys: [1: SecretBytes(copying: [UInt8](repeating: 9, count: 32))],
                activeVersion: 1
            ) { alarm in alarms.withLock { $0.append(alarm) } }
            let page = try await IntentionRepository.list(
                after: nil,
                limit: 5,
                guardedBy: watching,
                in: transaction
            )
            #expect(page.items.isEmpty)
            #expect(alarms.withLock { $0.map(\.table) } == ["intentions"])
        }
    }

    @Test(
        arguments: [
            ("UPDATE turnpike.services SET leaf_ttl_seconds = 86400", "services"),
            ("UPDATE turnpike.services SET protocol = 'tcp'", "services"),
            ("UPDATE turnpike.services SET meta = '[1]'", "services"),
            ("UPDATE turnpike.instances SET address = '192.0.2.66'", "instances"),
            ("UPDATE turnpike.instances SET port = 1", "instances"),
            ("UPDATE turnpike.instances SET address = 'no address'", "instances"),
            ("UPDATE turnpike.externals SET host = 'evil.example.com'", "externals"),
            ("UPDATE turnpike.externals SET port = 1", "externals"),
            ("UPDATE turnpike.externals SET tls = '{\"mode\": \"none\"}'", "externals"),
            ("UPDATE turnpike.externals SET tls = '[]'", "externals"),
            ("UPDATE turnpike.externals SET allow_local = false", "externals"),
            ("UPDATE turnpike.externals SET mac = ''", "externals"),
            ("UPDATE turnpike.upstreams SET uids = '{}', any_uid = true", "upstreams"),
            ("UPDATE turnpike.upstreams SET uids = uids || 33::bigint", "upstreams"),
            ("UPDATE turnpike.placements SET revision = 2", "placements"),
            ("UPDATE turnpike.intentions SET meta = '[1]'", "intentions"),
        ] as [(SQL, String)]
    )
    func whatWasAlteredIsAbsentAndCostsNobodyElse(_ tampering: SQL, _ table: String) async throws {
        try await withCatalog { transaction in
            #expect(try await transaction.execute(tampering) == 1)
            try await expectOneAbsent(of: table, transaction)
        }
    }

    /// A copy of an old row has a valid tag; the feed knows better.
    @Test(arguments: ["update", "delete"])
    func whatWasPutBackIsAbsent(_ action: String) async throws {
        let keys = [
            ("service", "services", "default/web"),
            ("placement", "placements", "default/web/a-1"),
            ("instance", "instances", "default/web/a-1/main"),
            ("instance", "externals", "default/web/a-1/\(ExternalRepository.feedName)"),
            ("upstream", "upstreams", "a-1/1"),
            ("intention", "intentions", "default/web/default/*"),
        ]
        for (kind, table, key) in keys {
            try await withCatalog { transaction in
                // An update makes a later revision; a deletion may be of the very same.
                let revision: Int64 = action == "update" ? 2 : 1
                try await transaction.query(
                    """
                    INSERT INTO turnpike.changes (revision, ordinal, kind, key, action, at)
                    VALUES (\(revision), 1, \(kind), \(key), \(action), now())
                    """
                )
                try await expectOneAbsent(of: table, transaction)
            }
        }
    }

    private func expectOneAbsent(
        of table: String,
        _ transaction: PostgresTransaction
    ) async throws {
        let alarms = Mutex<[RowAlarm]>([])
        let watching = RowGuard(
            keys: [1: SecretBytes(copying: [UInt8](repeating: 9, count: 32))],
            activeVersion: 1
        ) { alarm in alarms.withLock { $0.append(alarm) } }
        let resources = try resources()
        let found = try await CatalogRepository.find(
            resources.compactMap(\.key),
            guardedBy: watching,
            in: transaction
        )
        #expect(found.count == resources.count - 1)
        #expect(Set(alarms.withLock { $0.map(\.table) }) == [table])
        let raised = try #require(alarms.withLock { $0 }.first)
        #expect(!raised.key.isEmpty && !raised.key.contains("?"))
    }

    @Test(
        arguments: [
            "INSERT INTO turnpike.namespaces VALUES ('Upper', '', 1, now(), now(), '')",
            "INSERT INTO turnpike.namespaces VALUES ('a.b', '', 1, now(), now(), '')",
            "UPDATE turnpike.intentions SET destination_namespace = '*'",
            "UPDATE turnpike.instances SET port = 0",
            "UPDATE turnpike.services SET leaf_ttl_seconds = 299",
            "DELETE FROM turnpike.services",
            "DELETE FROM turnpike.placements",
            "DELETE FROM turnpike.agents",
        ] as [SQL]
    )
    func theTablesRefuseWhatNoServerWrites(_ statement: SQL) async throws {
        await #expect(throws: PostgresError.self) {
            try await withCatalog { transaction in try await transaction.query(statement) }
        }
    }

    @Test func nobodyEnforcesBeforeTheFirstAcknowledgement() async throws {
        try await withCatalog { transaction in
            let web = try ServiceName("web")
            let states = try await EnforcementRepository.states(
                of: [try AgentName("a-1")],
                in: transaction
            )
            #expect(states.isEmpty)
            let last = try await EnforcementRepository.lastChange(of: web, in: transaction)
            #expect(last == 0)
            let refused = try await EnforcementRepository.latestRefusal(
                sources: ["default/web"],
                destination: web,
                in: transaction
            )
            #expect(refused == nil)
        }
    }
}
