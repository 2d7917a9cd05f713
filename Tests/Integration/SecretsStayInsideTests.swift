import Foundation
import HTTP
import Support
import Testing
import Wire

struct SecretsStayInsideTests {
    /// Every way in which a secret of the run might be written down.
    private struct Secrets {
        var forms: [String: String] = [:]

        mutating func add(_ name: String, _ text: String) { forms[name] = text }

        mutating func add(_ name: String, bytes: [UInt8]) {
            let data = Data(bytes)
            forms[name + " (hex)"] = Hex.encode(bytes)
            forms[name + " (base64)"] = data.base64EncodedString()
            forms[name + " (base64url)"] = Base64URL.encode(bytes)
        }

        func found(in text: String) -> [String] {
            forms.filter { text.contains($0.value) }.map(\.key)
        }
    }

    /// A busy run with everything that handles a secret; gives the secrets that went through it.
    private func run(_ server: ServerChild) async throws -> (secrets: Secrets, answers: String) {
        let site = server.site
        var secrets = Secrets()
        var answers = ""
        secrets.add("bootstrap token", try site.bootstrapToken())
        let admin = try await site.administratorToken(server)
        secrets.add("administrator's token", admin)
        let limited = try await server.token(paths: #"{"status":["read"]}"#)
        secrets.add("limited token", limited)
        let unknown = "tp." + String(repeating: "Zq", count: 21) + "E"
        secrets.add("token of somebody else", unknown)
        let invited = try await server.turnpike(["agent", "invite", "spare"])
        let join = invited.output.trimmingCharacters(in: .whitespacesAndNewlines)
        secrets.add("join token", join)
        let home = try await server.enrol("host-s")
        let agent = try await home.start()
        secrets.add("agent's key", try keyLine(below: home.path))
        for token in [limited, unknown, join] {
            for target in ["/v1/status", "/v1/tokens/\(token)", "/v1/services?after=\(token)"] {
                answers += try await server.api.send(.get, target, token: unknown).text
            }
        }
        for target in ["/v1/tokens", "/v1/audit?limit=1000", "/v1/ca", "/v1/agents", "/metrics"] {
            answers += try await server.send(.get, target).text
        }
        let odd = try await server.send(
            .put,
            "/v1/services/default/odd",
            body: #"{"description":7,"token":"\#(limited)"}"#
        )
        #expect(odd.status == 400)
        answers += try await server.send(.get, "/v1/agents/host-s/join-tokens").text
        agent.signal(SIGTERM)
        #expect(await agent.wait() == 0)
        #expect(secrets.found(in: agent.log) == [])
        secrets.add("key-encryption key", bytes: try bytes(site.kekFile))
        secrets.add("trust key", try keyLine(site.trustKeyFile))
        for role in ["postgres", "turnpike_runtime", "turnpike_dashboard"] {
            let file = site.dataDirectory + "/database/\(role).password"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            secrets.add("\(role)'s password", text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return (secrets, answers)
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// The first line of a private key in PEM, without its frame.
    private func keyLine(_ path: String) throws -> String {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n")
        let frame = try #require(lines.firstIndex { $0.hasSuffix("PRIVATE KEY-----") })
        return try #require(lines.dropFirst(frame + 1).first.map(String.init))
    }

    /// The same of the first key in a directory, in whatever file its owner keeps it.
    private func keyLine(below directory: String) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        let holder = try #require(
            names.first { name in
                let data = FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data()
                return String(decoding: data, as: UTF8.self).contains("PRIVATE KEY-----")
            }
        )
        return try keyLine("\(directory)/\(holder)")
    }

    /// Command lines and environments of a process and everything below it.
    private func processes(below root: Int32) throws -> String {
        var parents: [Int32: [Int32]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let number = Int32(name),
                let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let rest = stat.components(separatedBy: ") ").last?.split(separator: " "),
                rest.count > 1, let parent = Int32(rest[1])
            else { continue }
            parents[parent, default: []].append(number)
        }
        var text = ""
        var waiting = [root]
        var count = 0
        while let next = waiting.popLast() {
            count += 1
            for file in ["cmdline", "environ"] {
                let data = FileManager.default.contents(atPath: "/proc/\(next)/\(file)") ?? Data()
                text += String(decoding: data, as: UTF8.self).replacing("\0", with: " ")
            }
            waiting += parents[next] ?? []
        }
        #expect(count > 5, "the server, its PostgreSQL and that one's children")
        return text
    }

    @Test func noLogNoAnswerNoProcessAndNoRowShowsOne() async throws {
        let site = try ServerSite(["--log-level", "debug"])
        let server = try await site.start()
        let (secrets, answers) = try await run(server)
        #expect(secrets.forms.count >= 12)
        #expect(secrets.found(in: answers) == [])
        #expect(secrets.found(in: try processes(below: server.processIdentifier)) == [])
        // The rows themselves, as the owner of the database sees them.
        let tables = try await site.sql(
            """
            SELECT format('SELECT %L, t::text FROM %I.%I t;', c.relname, n.nspname, c.relname)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('turnpike', 'dashboard') AND c.relkind IN ('r', 'v')
            """
        )
        #expect(tables.split(separator: "\n").count > 25)
        let rows = try await site.sql(tables)
        #expect(rows.contains("host-s"))
        #expect(secrets.found(in: rows) == [])
        #expect(!rows.contains("PRIVATE KEY"))
        #expect(await server.stop() == 0)
        #expect(secrets.found(in: server.log) == [])
        #expect(secrets.found(in: server.output) == [])
        try expectNoLogOfPostgres(secrets, site)
    }

    private func expectNoLogOfPostgres(_ secrets: Secrets, _ site: ServerSite) throws {
        let folder = site.dataDirectory + "/database/cluster/log"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!names.isEmpty)
        for name in names {
            let text = String(decoding: try bytes("\(folder)/\(name)"), as: UTF8.self)
            #expect(secrets.found(in: text) == [], "\(name)")
        }
    }

    @Test func filesThatHoldSecretsAreTheOwnersOnly() async throws {
        let server = try await SharedServer.get()
        let site = server.site
        let files =
            [site.kekFile, site.trustKeyFile, site.bootstrapTokenFile]
            + ["postgres", "turnpike_runtime", "turnpike_dashboard"].map {
                site.dataDirectory + "/database/\($0).password"
            }
        for file in files {
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
        }
        for directory in [site.clusterDirectory, site.socketDirectory] {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory)
            #expect(attributes[.posixPermissions] as? Int == 0o700, "\(directory)")
        }
    }
}
