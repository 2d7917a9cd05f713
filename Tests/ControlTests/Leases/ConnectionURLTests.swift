import Mesh
import Testing

@testable import Control

/// Where clients of Vault say that a target is.
@Suite struct ConnectionURLTests {
    @Test func hostUserAndModeAreRead() throws {
        let verified = try ConnectionURL(
            "postgresql://{{username}}:{{password}}@db.example.com:6432/orders?sslmode=verify-full"
        )
        #expect(verified.place == .host(try OutsideHost("db.example.com"), port: 6_432))
        #expect(verified.database == "orders")
        #expect(verified.user == nil)
        #expect(verified.isVerified == true)
        let plain = try ConnectionURL("postgres://leaser@127.0.0.1/a%20b?sslmode=disable")
        #expect(plain.place == .host(try OutsideHost("127.0.0.1"), port: 5_432))
        #expect(plain.database == "a b")
        #expect(plain.user == "leaser")
        #expect(plain.isVerified == false)
        let socket = try ConnectionURL("postgresql://{{username}}:@/orders?host=/run/postgresql")
        #expect(socket.place == .socket(directory: "/run/postgresql", port: 5_432))
        #expect(socket.isVerified == nil)
    }

    @Test(arguments: [
        "", "orders", "user={{username}} host=db", "mysql://{{username}}@db/x", "postgresql://db/x",
        "postgresql://u:secret@localhost/x", "postgresql://u:{{password}}x@localhost/x",
        "postgresql://u@localhost/", "postgresql://u@db.example.com/x",
        "postgresql://u@db.example.com/x?sslmode=require",
        "postgresql://u@a,b/x?sslmode=verify-full",
        "postgresql://u@localhost/x?sslmode=verify-full&sslrootcert=/etc/passwd",
        "postgresql://u@localhost/x?sslcert=/etc/passwd", "postgresql://u@localhost/x?options=-c",
        "postgresql://u@localhost:0/x", "postgresql://u@127.1/x?sslmode=verify-full",
    ])
    func whatCannotBeHeldToIsRefused(text: String) async {
        let error = await refusal { _ = try ConnectionURL(text) }
        #expect(error?.code == "target.connection_url")
        #expect(error.map { !$0.complaint.text.contains("secret") } == true)
    }

    @Test(arguments: ["127.0.0.1", "::1", "db.example.com", "/run/x y"])
    func whatIsShownIsReadAgain(host: String) throws {
        let isSocket = host.hasPrefix("/")
        let target = LeaseTarget(
            name: try TargetName("orders"),
            place: isSocket
                ? .socket(directory: host, port: 5_433)
                : .host(try OutsideHost(host), port: 5_433),
            security: isSocket ? .plain : .verified(authorities: [[1]]),
            database: "a/b ü",
            user: "leaser"
        )
        let text = ConnectionURL.text(of: target)
        let read = try ConnectionURL(text)
        #expect(read.place == target.place)
        #expect(read.database == target.database)
        #expect(read.isVerified == (isSocket ? nil : true))
        #expect(!text.contains("leaser"))
    }
}
