import Foundation
import HTTP
import Support
import Testing
import Wire

/// Rows that somebody writes as the owner of the whole database.
@Suite(.serialized) struct ForgedRowsGrantNothingTests {
    /// Everything that speaks of a forged row: the status, the metric, the audit trail, the log.
    private func expectAlarm(
        _ table: String,
        _ key: String,
        _ server: ServerChild,
        _ place: SourceLocation = #_sourceLocation
    ) async throws {
        // The alarm is written beside the refusal, not before it.
        let isRaised = try await eventually {
            let status = try await server.send(.get, "/v1/status")
            return (status.body["row_alarms"]?.items ?? []).contains {
                $0["table"]?.text == table && $0["key"]?.text == key
            }
        }
        #expect(isRaised, sourceLocation: place)
        let metrics = try await server.send(.get, "/metrics").text
        let counter = "turnpike_server_row_mac_failures_total{table=\"\(table)\"}"
        #expect(metrics.contains(counter), sourceLocation: place)
        let audit = try await server.send(.get, "/v1/audit?action=row.alarm&limit=1000")
        let records = (audit.body["items"]?.items ?? []).filter {
            $0["resource"]?.text == "\(table)/\(key)"
        }
        #expect(records.count == 1, "\(audit.text)", sourceLocation: place)
        #expect(server.log.contains("behind the server's back"), sourceLocation: place)
    }

    private func own(_ token: String, _ server: ServerChild) async throws -> Document {
        try await server.api.send(.get, "/v1/tokens/self", token: token).body
    }

    private func accessor(_ token: String, _ server: ServerChild) async throws -> String {
        let text = try await own(token, server)["accessor"]?.text
        // The caller is remembered for a second; what the database says counts from then on.
        try await Task.sleep(for: .milliseconds(1_100))
        return try #require(text)
    }

    @Test func aTokenThatWasGivenMorePoliciesIsNoToken() async throws {
        let server = try await SharedServer.get()
        let token = try await server.token(paths: #"{"status":["read"]}"#, name: "forged-a")
        let accessor = try await accessor(token, server)
        try await server.site.sql(
            "UPDATE turnpike.tokens SET policies = '{admin}' WHERE accessor = '\(accessor)'"
        )
        for path in ["/v1/status", "/v1/tokens", "/v1/tokens/self"] {
            let answer = try await server.api.send(.get, path, token: token)
            #expect(answer.status == 401, "\(answer.text)")
            #expect(answer.code == "token.unknown")
        }
        try await expectAlarm("tokens", accessor, server)
    }

    @Test func aTokenThatWasRevokedDoesNotComeBack() async throws {
        let server = try await SharedServer.get()
        let token = try await server.token(paths: #"{"status":["read"]}"#, name: "forged-b")
        let accessor = try await accessor(token, server)
        #expect(try await server.send(.delete, "/v1/tokens/\(accessor)").status == 200)
        try await server.site.sql(
            "UPDATE turnpike.tokens SET revoked_at = NULL WHERE accessor = '\(accessor)'"
        )
        let answer = try await server.api.send(.get, "/v1/status", token: token)
        #expect(answer.status == 401)
        try await expectAlarm("tokens", accessor, server)
    }

    @Test func anInsertedTokenIsInNoList() async throws {
        let server = try await SharedServer.get()
        let forged = "01900000-0000-7000-8000-00000000beef"
        try await server.site.sql(
            """
            INSERT INTO turnpike.tokens SELECT '\(forged)', sha256('guess'), 'forged', kind,
                '{admin}', created_at, expires_at, NULL, created_by, mac
            FROM turnpike.tokens WHERE policies = '{admin}' LIMIT 1
            """
        )
        let list = try await server.send(.get, "/v1/tokens?limit=1000")
        #expect(list.status == 200)
        #expect(!list.text.contains(forged))
        #expect(try await server.send(.get, "/v1/tokens/\(forged)").status == 404)
        try await expectAlarm("tokens", forged, server)
    }

    @Test func aWidenedPolicyGrantsNothing() async throws {
        let server = try await SharedServer.get()
        let token = try await server.token(paths: #"{"status":["read"]}"#, name: "forged-c")
        _ = try await accessor(token, server)
        try await server.site.sql(
            """
            UPDATE turnpike.policies
            SET document = '{"name": "forged-c", "paths": {"*": ["read", "update", "sudo"]}}'
            WHERE name = 'forged-c'
            """
        )
        for path in ["/v1/status", "/v1/tokens", "/v1/services/default/any"] {
            #expect(try await server.api.send(.get, path, token: token).status == 403)
        }
        let put = try await server.api.send(
            .put,
            "/v1/services/default/any",
            token: token,
            body: "{}"
        )
        #expect(put.status == 403)
        #expect(try await server.send(.get, "/v1/policies/forged-c").status == 404)
        try await expectAlarm("policies", "forged-c", server)
    }

    @Test func aJoinTokenThatWasProlongedEnrolsNobody() async throws {
        let server = try await SharedServer.get()
        let invited = try await server.turnpike(["agent", "invite", "forged-host"])
        try #require(invited.code == 0, "\(invited.errors)")
        try await server.site.sql(
            """
            UPDATE turnpike.join_tokens SET expires_at = expires_at + interval '1 year'
            WHERE agent = 'forged-host'
            """
        )
        let scratch = try ScratchDirectory("agent")
        let joined = try await AgentChild.run(
            ["join", "--token-file", "-", "--data-directory", scratch.path + "/a"],
            input: invited.output
        )
        #expect(joined.code == 1)
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/a/agent.pem"))
        let id = try await server.site.sql(
            "SELECT id FROM turnpike.join_tokens WHERE agent = 'forged-host'"
        )
        try await expectAlarm("join_tokens", id, server)
    }

    /// What lies in the database until it is used: a root, a snapshot key, a request for a CA.
    @Test func keysThatWaitAreProposedOnlyIfTheyWereMadeHere() async throws {
        let server = try await SharedServer.get()
        let forged = "01900000-0000-7000-8000-00000000cafe"
        let mole = try OperatorAuthority(key: "EC", issuing: false)
        let key = String(repeating: "ab", count: 32)
        let asked = try await server.turnpike(["ca", "csr"])
        try #require(asked.code == 0, "\(asked.errors)")
        let request = try await server.site.sql("SELECT id FROM turnpike.authority_requests")
        let certificate = mole.root.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        try await server.site.sql(
            """
            INSERT INTO turnpike.authorities (
                id, kind, state, certificate, sealed_key, not_before, not_after
            ) VALUES (
                '\(forged)', 'root', 'prepared', decode('\(certificate)', 'base64'), '', now(),
                now() + interval '1 year'
            );
            INSERT INTO turnpike.snapshot_keys (
                key_id, public_key, sealed_key, state, not_before, not_after
            ) VALUES ('\(key)', '\\x\(key)', '', 'prepared', now(), now() + interval '1 year');
            UPDATE turnpike.authority_requests SET request = '\\x\(key)';
            """
        )
        let name = try await server.site.sql(
            "SELECT encode(sha256(certificate), 'hex') FROM turnpike.authorities WHERE id = '\(forged)'"
        )
        let root = try await server.turnpike(["rotate", "root", "prepare"])
        #expect(root.code == 0 && !(root.output + root.errors).contains(name), "\(root.errors)")
        #expect(root.errors.contains("is prepared"), "\(root.errors)")
        let snapshotKey = try await server.turnpike(["rotate", "snapshot-key", "prepare"])
        #expect(snapshotKey.code == 0, "\(snapshotKey.errors)")
        #expect(!(snapshotKey.output + snapshotKey.errors).contains(key))
        let other = try await server.turnpike(["ca", "csr"])
        #expect(other.code == 0 && other.output.contains("BEGIN CERTIFICATE REQUEST"))
        #expect(other.output != asked.output)
        try await expectAlarm("authorities", forged, server)
        try await expectAlarm("snapshot_keys", key, server)
        try await expectAlarm("authority_requests", request, server)
    }

    @Test func forgedPlacementsAndIntentionsReachNoSnapshot() async throws {
        let server = try await SharedServer.get()
        for name in ["f-db", "f-web", "f-spy"] {
            let put = try await server.send(.put, "/v1/services/default/\(name)", body: "{}")
            #expect(put.status == 201)
        }
        let home = try await server.enrol("f-host", placing: ["f-db"])
        let agent = try await home.start()
        try await server.waitUntilEnforcing(["f-host"])
        let honest = "/v1/intentions/default/f-db/default/f-web?wait=enforced&timeout=20s"
        let put = try await server.send(.put, honest, body: #"{"action":"allow"}"#)
        #expect(put.body["enforced"]?["complete"]?.bool == true, "\(put.text)")
        let forged = "01900000-0000-7000-8000-00000000f00d"
        // With revision and feed, as one who knows the tables would do it.
        try await server.site.sql(
            """
            BEGIN;
            UPDATE turnpike.revision SET revision = revision + 1;
            INSERT INTO turnpike.intentions SELECT '\(forged)', destination_namespace,
                destination_name, source_namespace, 'f-spy', precedence, 'allow', permissions,
                description, meta, owner, reason, not_before, not_after, r.revision, created_at,
                updated_at, created_by, mac
            FROM turnpike.intentions, turnpike.revision r WHERE source_name = 'f-web';
            INSERT INTO turnpike.placements SELECT namespace, 'f-web', agent, r.revision,
                created_at, updated_at, created_by, mac
            FROM turnpike.placements, turnpike.revision r WHERE service = 'f-db';
            INSERT INTO turnpike.changes SELECT revision, 1, 'intention',
                'default/f-db/default/f-spy', 'create', now() FROM turnpike.revision;
            INSERT INTO turnpike.changes SELECT revision, 2, 'placement',
                'default/f-web/f-host', 'create', now() FROM turnpike.revision;
            COMMIT;
            """
        )
        // A change of the server's own brings everything in force that is to come.
        let later = try await server.send(
            .put,
            "/v1/intentions/default/f-db/default/f-later?wait=enforced&timeout=20s",
            body: #"{"action":"deny"}"#
        )
        #expect(later.body["enforced"]?["complete"]?.bool == true, "\(later.text)")
        let shown = try await AgentChild.run(["snapshot", "show", home.path])
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.output.contains("f-later"))
        #expect(!shown.output.contains("f-spy"))
        let verified = try await AgentChild.run(["snapshot", "verify", home.path])
        #expect(verified.output.contains("hosts default/f-db (tcp), 0 instances, 2 rules"))
        #expect(!verified.output.contains("hosts default/f-web"), "\(verified.output)")
        let explained = try await server.send(
            .get,
            "/v1/explain?source=f-spy&destination=f-db"
        )
        #expect(explained.body["verdict"]?.text == "deny", "\(explained.text)")
        let certificates = try await server.send(.get, "/v1/ca/certificates?agent=f-host")
        #expect(!certificates.text.contains("svc/f-web"))
        try await expectAlarm("intentions", "default/f-db/default/f-spy", server)
        try await expectAlarm("placements", "default/f-web/f-host", server)
        let views = try await server.site.sql(
            """
            SELECT count(*) FROM dashboard.intentions WHERE source_name = 'f-spy';
            SELECT count(*) FROM dashboard.placements WHERE service = 'f-web';
            SELECT verdict FROM dashboard.effective_access
                WHERE source = 'default/f-spy' AND destination = 'default/f-db';
            """
        )
        #expect(views == "0\n0\ndeny")
        agent.signal(SIGTERM)
        #expect(await agent.wait() == 0)
    }
}
