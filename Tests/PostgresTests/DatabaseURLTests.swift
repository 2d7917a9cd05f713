import Postgres
import Testing

@Suite struct DatabaseURLTests {
    @Test func readsAllParts() throws {
        let url = try DatabaseURL(
            parsing: "postgresql://turnpike:s%40cret@db1.example:5433,db2.example/pike"
                + "?sslmode=verify-full&sslrootcert=/etc/ca.pem"
        )
        #expect(
            url.hosts == [
                DatabaseURL.Host(name: "db1.example", port: 5_433),
                DatabaseURL.Host(name: "db2.example"),
            ]
        )
        #expect(url.user == "turnpike")
        #expect(url.database == "pike")
        #expect(url.sslMode == .verifyFull)
        #expect(url.rootCertificateFile == "/etc/ca.pem")
    }

    @Test(arguments: [
        "postgresql://u@localhost/d", "postgres://u:p@127.0.0.1:1/d", "postgres://u@[::1]:5432/d",
        "postgresql://u@/d?host=/run/postgresql", "postgresql://u@%2Frun%2Fpg/d",
        "postgresql://u@:5433/d?host=/run/postgresql", "postgresql://u@127.9.8.7/d",
    ])
    func localHostsNeedNoCertificate(text: String) throws {
        let url = try DatabaseURL(parsing: text)
        #expect(url.hosts.allSatisfy { $0.isLocal })
        #expect(url.user == "u")
        #expect(url.database == "d")
    }

    @Test(arguments: [
        ("postgresql://u@db.example/d", DatabaseURLError.unverifiedRemoteHost("db.example")),
        ("postgresql://u@127.0.0.256/d", .unverifiedRemoteHost("127.0.0.256")),
        ("postgresql://u@127.1/d", .unverifiedRemoteHost("127.1")),
        ("postgresql://u@127.0.0.1.example/d", .unverifiedRemoteHost("127.0.0.1.example")),
        (
            "postgresql://u@localhost,db.example/d?sslmode=require",
            .unverifiedRemoteHost("db.example")
        ),
        (
            "postgresql://u@10.0.0.1/d?sslmode=verify-ca&sslrootcert=/ca",
            .unverifiedRemoteHost("10.0.0.1")
        ),
        (
            "postgresql://u@db.example/d?sslmode=verify-full",
            .missingRootCertificate("db.example")
        ),
        ("mysql://u@h/d", .wrongScheme),
        ("postgresql://localhost/d", .missingUser),
        ("postgresql://:p@localhost/d", .missingUser),
        ("postgresql://u@localhost", .missingDatabase),
        ("postgresql://u@localhost/", .missingDatabase),
        ("postgresql://u@/d", .missingHost),
        ("postgresql://u:p@ss@localhost/d", .ambiguousAt),
        ("postgresql://u@local host/d", .malformedHost),
        ("postgresql://u@[::1/d", .malformedHost),
        ("postgresql://u@a:b:c/d", .malformedHost),
        ("postgresql://u@localhost:0/d", .malformedPort),
        ("postgresql://u@localhost:65536/d", .malformedPort),
        ("postgresql://u@localhost:+1/d", .malformedPort),
        ("postgresql://u:%zz@localhost/d", .malformedEscape),
        ("postgresql://u:%00@localhost/d", .malformedEscape),
        ("postgresql://u:%ff@localhost/d", .malformedEscape),
        ("postgresql://u@localhost/d?options=-c", .unknownOption("options")),
        ("postgresql://u@localhost/d?hostaddr=10.0.0.1", .unknownOption("hostaddr")),
        ("postgresql://u@localhost/d?password=p", .unknownOption("password")),
        ("postgresql://u@localhost/d?sslmode=prefer&sslmode=disable", .repeatedOption("sslmode")),
        ("postgresql://u@localhost/d?sslmode=maybe", .malformedOption("sslmode")),
        ("postgresql://u@localhost/d?sslrootcert=ca.pem", .malformedOption("sslrootcert")),
        ("postgresql://u@localhost/d?host=/run", .repeatedOption("host")),
    ])
    func refusesWhatIsUnclearOrUnsafe(text: String, error: DatabaseURLError) {
        #expect(throws: error) { try DatabaseURL(parsing: text) }
    }

    @Test func refusesTooManyHostsAndTooMuchText() {
        let hosts = Array(repeating: "localhost", count: 17).joined(separator: ",")
        #expect(throws: DatabaseURLError.tooManyHosts) {
            try DatabaseURL(parsing: "postgresql://u@\(hosts)/d")
        }
        let long = String(repeating: "a", count: DatabaseURL.byteCountMax)
        #expect(throws: DatabaseURLError.tooLong) {
            try DatabaseURL(parsing: "postgresql://u@localhost/\(long)")
        }
    }

    @Test(arguments: [
        "postgresql://u:hunter2@localhost/d", "postgresql://u:hunter2@db.example/d",
        "postgresql://u:hunter2@x@localhost/d", "postgresql://u:hunter2@localhost:99999/d",
        "postgresql://u:hunter2/x@localhost/d",
    ])
    func thePasswordIsNowhereToBeSeen(text: String) {
        var shown = ""
        do {
            let url = try DatabaseURL(parsing: text)
            shown = "\(url) \(String(reflecting: url)) "
            dump(url, to: &shown)
            dump(PostgresSettings(url: url), to: &shown)
        } catch {
            shown = "\(error)"
        }

        #expect(!shown.contains("hunter2"))
        #expect(!shown.isEmpty)
    }
}
