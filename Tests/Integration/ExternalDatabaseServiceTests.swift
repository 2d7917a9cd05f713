import Foundation
import HTTP
import Support
import Testing
import Wire

/// A real PostgreSQL that takes nothing but TLS, behind an egress agent: the client speaks plain.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ExternalDatabaseServiceTests {
    private func query(_ database: VerifiedPostgres, _ port: UInt16) async -> String {
        await onThread { database.query(port: port) }
    }

    @Test func aDatabaseIsReachedInTLSThatTheAgentVerifies() async throws {
        let database = try await VerifiedPostgres(name: "db.example.com")
        let origin = EchoOrigin()
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        let port = LoopbackSocket.freePort()
        func target(_ name: String) -> [String] {
            [
                "external", "put", "orders", "host-b", "127.0.0.1:\(database.port)",
                "--server-name", name, "--ca", database.authorityPath, "--negotiation",
                "postgresql", "--allow-local",
            ]
        }
        let commands = [
            ["service", "put", "orders"], ["placement", "put", "orders", "host-b"],
            target("db.example.com"),
            ["upstream", "put", "host-a", "\(port)", "web", "orders", "--uid", "\(getuid())"],
            ["intention", "create", "web", "orders", "--allow"],
        ]
        for command in commands {
            let done = try await hosts.server.turnpike(command)
            try #require(done.code == 0, "\(command): \(done.errors)")
        }
        // Its own port takes no plain connection; through the mesh the backend sees TLS.
        #expect(await query(database, database.port).contains("no encryption"))
        let passes = try await eventually { await query(database, port).hasPrefix("t|TLSv1.3") }
        let answer = await query(database, port)
        #expect(passes, "\(answer)\n\(destination.child.log)")

        // The same server under a name that it cannot prove is no longer reached.
        let moved = try await hosts.server.turnpike(target("other.example.com"))
        try #require(moved.code == 0, "\(moved.errors)")
        let isRefused = try await eventually { await !query(database, port).hasPrefix("t|") }
        #expect(isRefused)
        // A query that the change cut in the middle is refused as well, for another reason: ask until
        // one was refused for the name.
        let denials = try await eventually {
            _ = await query(database, port)
            return destination.child.log.contains("reason=outside_name_mismatch")
        }
        #expect(denials, "\(destination.child.log)")
        _ = await source.end()
        _ = await destination.end()
        _ = await hosts.server.stop()
    }
}

/// A PostgreSQL on a loopback port, with a certificate of a CA of its own, that admits TLS only.
///
/// A shell holds it and reads a pipe of this process: when the process or the last reference ends,
/// the shell stops it and removes its files.
private final class VerifiedPostgres: @unchecked Sendable {
    // The process is started once; its pipes are used by one task at a time.
    let port = LoopbackSocket.freePort()
    let authorityPath: String
    private let binaries: String
    private let process = Process()
    private let holder = Pipe()
    private let output = Pipe()

    init(name: String) async throws {
        binaries = try await TestCluster.shared.binaryDirectory
        let shell = [
            "/bin/sh", "-c", Self.script, "turnpike-verified", binaries, "\(port)", name,
        ]
        if geteuid() == 0 {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments =
                ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + shell
        } else {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = Array(shell.dropFirst())
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = holder
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let output = output
        let text = await onThread {
            var text = ""
            while true {
                let data = output.fileHandleForReading.availableData
                text += String(decoding: data, as: UTF8.self)
                if data.isEmpty || text.hasSuffix("ready\n") { return text }
            }
        }
        try #require(text.hasSuffix("ready\n"), "\(text)")
        authorityPath = (text.split(separator: "\n").first.map(String.init) ?? "") + "/ca.pem"
    }

    deinit { try? holder.fileHandleForWriting.close() }

    /// What the server says of the TLS of the connection, or why there is none.
    func query(port: UInt16) -> String {
        let psql = Process()
        let output = Pipe()
        psql.executableURL = URL(fileURLWithPath: "\(binaries)/psql")
        psql.arguments = [
            "-X", "-q", "-A", "-t", "-c",
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "host=127.0.0.1 port=\(port) user=postgres dbname=postgres sslmode=disable"
                + " connect_timeout=10",
        ]
        psql.standardOutput = output
        psql.standardError = output
        psql.standardInput = FileHandle.nullDevice
        do { try psql.run() } catch { return "\(error)" }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        psql.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let script = """
        trap '' INT TERM HUP
        directory=$(mktemp -d /tmp/turnpike-XXXXXX) || exit 1
        trap 'rm -rf "$directory"' EXIT
        echo "$directory"
        cd "$directory" || exit 1
        log="$directory/log"
        ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        "$1"/initdb --pgdata="$directory/data" --username=postgres --auth=trust --no-sync \
            --locale=C.UTF-8 --encoding=UTF8 >>"$log" 2>&1 || { cat "$log"; exit 1; }
        openssl req -x509 $ec -subj "/CN=Database CA" -keyout ca.key -out ca.pem >>"$log" 2>&1 \
            || { cat "$log"; exit 1; }
        openssl req -x509 $ec -subj "/CN=$3" -CA ca.pem -CAkey ca.key \
            -addext "subjectAltName=DNS:$3" -addext "basicConstraints=critical,CA:FALSE" \
            -addext "extendedKeyUsage=serverAuth" -keyout data/server.key -out data/server.crt \
            >>"$log" 2>&1 || { cat "$log"; exit 1; }
        chmod 0600 data/server.key
        echo "hostssl all all 127.0.0.1/32 trust" >data/pg_hba.conf
        "$1"/pg_ctl --pgdata="$directory/data" --wait --timeout=60 --silent --log="$log" \
            --options="-p $2 -c listen_addresses=127.0.0.1 -c ssl=on \
            -c unix_socket_directories=$directory -c fsync=off -c shared_buffers=16MB" start \
            </dev/null || { cat "$log"; exit 1; }
        echo ready
        read -r _
        "$1"/pg_ctl --pgdata="$directory/data" --silent --mode=immediate stop </dev/null
        """
}
