import Foundation

/// A PostgreSQL on a loopback port, with a certificate of a CA of its own, that admits TLS only.
///
/// A shell holds it and reads a pipe of this process: when the process or the last reference ends,
/// the shell stops it and removes its files.
package final class VerifiedPostgres: @unchecked Sendable {
    // The process is started once; its pipes are used by one task at a time.
    package let port = LoopbackSocket.freePort()
    /// The CA, in PEM.
    package let authorityPath: String
    /// Where psql and its kin are.
    package let binaries: String
    private let process = Process()
    private let holder = Pipe()
    private let output = Pipe()

    /// Starts one whose certificate names `name`, a DNS name.
    ///
    /// `method` is how `pg_hba.conf` lets everybody in; the superuser runs `setup` first.
    package init(name: String, method: String = "trust", setup: String = "") async throws {
        binaries = try await TestCluster.shared.binaryDirectory
        let shell = [
            "/bin/sh", "-c", Self.script, "turnpike-verified", binaries, "\(port)", name,
            method, setup,
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
        guard text.hasSuffix("ready\n") else { throw TestClusterError(text: text) }
        authorityPath = (text.split(separator: "\n").first.map(String.init) ?? "") + "/ca.pem"
    }

    deinit { try? holder.fileHandleForWriting.close() }

    /// What psql says: the rows, and errors with their codes.
    ///
    /// Each statement is sent on its own, in clear, until one fails.
    package func psql(
        _ statements: String...,
        port: UInt16,
        input: String? = nil
    ) -> String {
        psql(statements, port: port, input: input)
    }

    /// The same with a list.
    package func psql(
        _ statements: [String],
        port: UInt16,
        input: String? = nil
    ) -> String {
        let psql = start(
            "psql",
            ["-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1"]
                + statements.flatMap { ["-c", $0] },
            port: port,
            input: input
        )
        return psql.output()
    }

    /// Starts a program of PostgreSQL against a port.
    package func start(
        _ program: String,
        _ arguments: [String],
        port: UInt16,
        input: String? = nil
    ) -> RunningProgram {
        RunningProgram(
            "\(binaries)/\(program)",
            arguments + [
                "host=127.0.0.1 port=\(port) user=postgres dbname=postgres sslmode=disable"
                    + " connect_timeout=10"
            ],
            input: input
        )
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
        { echo "hostssl all all 127.0.0.1/32 $4"; echo "local all all trust"; } >data/pg_hba.conf
        "$1"/pg_ctl --pgdata="$directory/data" --wait --timeout=60 --silent --log="$log" \
            --options="-p $2 -c listen_addresses=127.0.0.1 -c ssl=on \
            -c unix_socket_directories=$directory -c fsync=off -c shared_buffers=16MB" start \
            </dev/null || { cat "$log"; exit 1; }
        printf '%s' "$5" | "$1"/psql -X -q -v ON_ERROR_STOP=1 -h "$directory" -p "$2" \
            -U postgres postgres >>"$log" 2>&1 || { cat "$log"; exit 1; }
        echo ready
        read -r _
        "$1"/pg_ctl --pgdata="$directory/data" --silent --mode=immediate stop </dev/null
        """
}

/// A program with its output in a pipe.
package final class RunningProgram: @unchecked Sendable {
    // Used by one task at a time.
    private let process = Process()
    private let pipe = Pipe()
    private let failure: String?

    init(_ path: String, _ arguments: [String], input: String?) {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        let source = Pipe()
        process.standardInput = input == nil ? FileHandle.nullDevice : source
        do {
            try process.run()
            failure = nil
        } catch {
            failure = "\(error)"
        }
        if let input {
            try? source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? source.fileHandleForWriting.close()
        }
    }

    /// Waits for its end and gives all that it wrote.
    package func output() -> String {
        if let failure { return failure }
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }
}
