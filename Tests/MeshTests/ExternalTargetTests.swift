import Mesh
import Testing
import Wire

@Suite struct ExternalTargetTests {
    private static let pem = PEM.encode(
        PEM.Block(label: "CERTIFICATE", bytes: [0x30, 0x03, 1, 1, 0])
    )

    private func read(_ text: String) throws -> ExternalTarget {
        let document = try YAML.parse("kind: external\n" + text, source: "test.yaml").first ?? .null
        guard case .external(let target) = try Resource(reading: FieldValue(document)) else {
            throw InvalidField("kind", .unknown)
        }
        return target
    }

    private func verified(_ host: String, _ more: String = "") -> String {
        let pem = Self.pem.split(separator: "\n").joined(separator: "\\n") + "\\n"
        return """
            service: orders-db
            agent: egress-1
            host: "\(host)"
            port: 5432
            tls:
              mode: verify
              ca: "\(pem)"
            \(more)
            """
    }

    private func problem(_ text: String) -> FieldError? {
        do {
            _ = try read(text)
            return nil
        } catch {
            return error as? FieldError
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let target = try read(verified("db.example.com"))
        #expect(
            target.security
                == .verified(
                    serverName: .name(try HostName("db.example.com")),
                    authorities: [[0x30, 0x03, 1, 1, 0]]
                )
        )
        #expect(!target.allowsLocal)
        let resource = Resource.external(target)
        #expect(resource.path == "externals/default/orders-db/egress-1")
        #expect(resource.key?.path == resource.path)
        let again = try Resource(reading: FieldValue(resource.fileDocument))
        #expect(again == resource)
    }

    @Test func itNestsInItsService() throws {
        let document =
            try YAML.parse(
                """
                kind: service
                name: api
                placements: ["egress-1"]
                externals:
                  - agent: egress-1
                    host: api.example.com
                    port: 80
                    tls: {"mode": "none"}
                """,
                source: "test.yaml"
            ).first ?? .null
        let resource = try Resource(reading: FieldValue(document))
        #expect(
            resource.parts.map(\.path) == [
                "services/default/api", "placements/default/api/egress-1",
                "externals/default/api/egress-1",
            ]
        )
        #expect(try Resource(reading: FieldValue(resource.fileDocument)) == resource)
    }

    @Test(arguments: [
        ("127.0.0.1", "host"), ("::1", "host"), ("169.254.169.254", "host"), ("0.0.0.0", "host"),
        ("fe80::1", "host"), ("::ffff:7f00:1", "host"), ("64:ff9b::a9fe:a9fe", "host"),
        ("2002:7f00:1::", "host"), ("fd00:ec2::254", "host"), ("224.0.0.1", "host"),
        ("localhost", "host"), ("a.localhost", "host"), ("127.1", "host"), ("0x7f.1", "host"),
        ("2130706433", "host"), ("DB.example.com", "host"), ("db.example.com.", "host"),
        ("db..example.com", "host"), ("-db.example.com", "host"), ("db example", "host"),
        ("", "host"),
    ])
    func whatLeadsBackOrNowhereIsRefused(host: String, field: String) {
        #expect(problem(verified(host))?.path == field, "\(host)")
    }

    @Test func localMustBeWrittenOutAndNowhereStaysRefused() throws {
        let local = try read(verified("127.0.0.1", "allow_local: true"))
        #expect(local.admits(try IPAddress("169.254.169.254")))
        #expect(!local.admits(try IPAddress("0.0.0.0")))
        #expect(!local.admits(try IPAddress("ff02::1")))
        #expect(problem(verified("0.0.0.0", "allow_local: true"))?.path == "host")
        let outside = try read(verified("db.example.com"))
        #expect(!outside.admits(try IPAddress("127.0.0.1")))
        #expect(!outside.admits(try IPAddress("fe80::1")))
        #expect(outside.admits(try IPAddress("10.0.0.1")))
        #expect(outside.admits(try IPAddress("2001:db8::1")))
    }

    @Test func tlsIsWrittenOutAndComplete() {
        let head = "service: db\nagent: e\nhost: db.example.com\nport: 1\n"
        #expect(problem(head)?.path == "tls")
        #expect(problem(head + "tls: {\"mode\": \"verify\"}")?.path == "tls")
        #expect(problem(head + "tls: {\"mode\": \"verify\", \"ca\": \"\"}")?.path == "tls.ca")
        #expect(problem(head + "tls: {\"mode\": \"off\"}")?.path == "tls.mode")
        #expect(
            problem(head + "tls: {\"mode\": \"none\", \"server_name\": \"a.b\"}")?.path
                == "tls.server_name"
        )
        #expect(
            problem(head + "tls: {\"mode\": \"none\", \"negotiation\": \"postgresql\"}")?.path
                == "tls.negotiation"
        )
        let key = PEM.encode(PEM.Block(label: "PRIVATE KEY", bytes: [1]))
            .split(separator: "\n").joined(separator: "\\n")
        let error = problem(head + "tls: {\"mode\": \"verify\", \"ca\": \"\(key)\\n\"}")
        #expect(error?.path == "tls.ca")
        #expect(error?.problem == "it holds a PRIVATE KEY")
    }

    @Test func howTLSBeginsIsPartOfIt() throws {
        var target = try read(verified("db.example.com"))
        #expect(target.negotiation == .direct)
        target.negotiation = .postgresql
        let again = try Resource(reading: FieldValue(Resource.external(target).fileDocument))
        #expect(again == .external(target))
    }

    @Test func aBundleHasBounds() throws {
        var target = try read(verified("db.example.com"))
        let name = OutsideHost.name(try HostName("db.example.com"))
        func problem(_ authorities: [[UInt8]]) -> InvalidField.Problem? {
            target.security = .verified(serverName: name, authorities: authorities)
            do {
                try target.validate()
                return nil
            } catch {
                return error.problem
            }
        }
        let many = (0...ExternalTarget.authoritiesMax).map { [UInt8($0)] }
        #expect(problem(many) == .tooMany(limit: ExternalTarget.authoritiesMax))
        let large = [UInt8](repeating: 1, count: ExternalTarget.authoritiesMaxBytes + 1)
        #expect(problem([large]) == .tooLong(limitBytes: ExternalTarget.authoritiesMaxBytes))
        #expect(problem([[1], [1]]) == .duplicate)
        #expect(problem([[1]]) == nil)
    }
}
