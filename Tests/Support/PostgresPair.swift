import Foundation

/// A real primary and its streaming, synchronous standby on this machine, each on a loopback port.
///
/// A shell holds both and reads a pipe of this process: when the process or the last reference
/// ends, the shell stops them and removes their files. Started by root, they run as `postgres`.
package final class PostgresPair: @unchecked Sendable {
    // The process is started once; its pipes are used by one task at a time.
    package let primaryPort: UInt16
    package let standbyPort: UInt16
    package let directory: String
    private let binaries: String
    private let process: Process
    private let holder: Pipe
    private let output: Pipe

    /// Starts both and waits until the standby is synchronous.
    package init() async throws {
        let ports = [LoopbackSocket.freePort(), LoopbackSocket.freePort()]
        let cluster = try await TestCluster.shared
        binaries = cluster.binaryDirectory
        (primaryPort, standbyPort) = (ports[0], ports[1])
        let (process, holder, output) = (Process(), Pipe(), Pipe())
        let shell = [
            "/bin/sh", "-c", Self.script, "turnpike-pair", binaries, "\(ports[0])", "\(ports[1])",
        ]
        (process.executableURL, process.arguments) = Self.command(shell)
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = holder
        process.standardOutput = output
        process.standardError = output
        try process.run()
        self.process = process
        self.holder = holder
        self.output = output
        let text = await onThread {
            var text = ""
            while true {
                let data = output.fileHandleForReading.availableData
                text += String(decoding: data, as: UTF8.self)
                if data.isEmpty || text.hasSuffix("ready\n") { return text }
            }
        }
        directory = text.split(separator: "\n").first.map(String.init) ?? ""
        guard text.hasSuffix("ready\n"), directory.hasPrefix("/tmp/turnpike-") else {
            throw TestClusterError(text: "the pair did not start: \(text)")
        }
    }

    deinit {
        try? holder.fileHandleForWriting.close()
    }

    private static func command(_ shell: [String]) -> (URL, [String]) {
        guard geteuid() == 0 else {
            return (URL(fileURLWithPath: "/bin/sh"), Array(shell.dropFirst()))
        }
        return (
            URL(fileURLWithPath: "/usr/bin/setpriv"),
            ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + shell
        )
    }

    private static let script = """
        trap '' INT TERM HUP
        directory=$(mktemp -d /tmp/turnpike-XXXXXX) || exit 1
        trap 'rm -rf "$directory"' EXIT
        echo "$directory"
        log="$directory/log"
        run() { # data port
            "$bin"/pg_ctl --pgdata="$1" --wait --timeout=60 --silent --log="$log" \
                --options="-p $2 -c listen_addresses=127.0.0.1 \
                -c unix_socket_directories=$directory -c fsync=off -c shared_buffers=16MB \
                -c max_connections=60" start </dev/null || { cat "$log"; exit 1; }
        }
        bin=$1
        "$bin"/initdb --pgdata="$directory/primary" --username=postgres --auth=trust --no-sync \
            --locale=C.UTF-8 --encoding=UTF8 >>"$log" 2>&1 || { cat "$log"; exit 1; }
        run "$directory/primary" "$2"
        "$bin"/pg_basebackup --pgdata="$directory/standby" -R -X stream --checkpoint=fast \
            --no-sync -h 127.0.0.1 -p "$2" -U postgres >>"$log" 2>&1 || { cat "$log"; exit 1; }
        run "$directory/standby" "$3"
        sql() { "$bin"/psql -X -q -A -t -h 127.0.0.1 -p "$port" -U postgres -d postgres -c "$1"; }
        port=$2
        sql "ALTER SYSTEM SET synchronous_standby_names = '*'"
        sql "SELECT pg_reload_conf()" >/dev/null
        for try in $(seq 300); do
            state=$(sql "SELECT sync_state FROM pg_stat_replication")
            [ "$state" = sync ] && break
            sleep 0.1
        done
        [ "$state" = sync ] || { echo "not synchronous: $state"; exit 1; }
        sql "CREATE ROLE operator LOGIN CREATEROLE"
        sql "CREATE DATABASE turnpike OWNER operator"
        echo ready
        while read -r verb data port; do
            case $verb in
            stop) "$bin"/pg_ctl --pgdata="$directory/$data" --silent --mode=immediate stop ;;
            start) run "$directory/$data" "$port" ;;
            promote) "$bin"/pg_ctl --pgdata="$directory/$data" --silent --wait promote ;;
            esac </dev/null >>"$log" 2>&1 && echo ok || echo failed
        done
        for data in primary standby; do
            "$bin"/pg_ctl --pgdata="$directory/$data" --silent --mode=immediate stop </dev/null
        done
        """

    /// The URL that names both, the primary first.
    package var url: String {
        "postgresql://operator@127.0.0.1:\(primaryPort),127.0.0.1:\(standbyPort)/turnpike"
            + "?sslmode=disable"
    }

    /// The primary is gone, as by the loss of its host.
    package func killPrimary() async throws { try await order("stop primary") }

    /// The standby is gone.
    package func killStandby() async throws { try await order("stop standby") }

    /// The standby is there again, as a standby.
    package func startStandby() async throws { try await order("start standby \(standbyPort)") }

    /// The standby takes over.
    package func promoteStandby() async throws { try await order("promote standby") }

    /// Runs SQL as the superuser; one line for each row, columns separated by `|`.
    @discardableResult
    package func sql(_ text: String, onStandby: Bool = false) async throws -> String {
        let end = try await ProgramChild.run(
            binaries + "/psql",
            [
                "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                "\(onStandby ? standbyPort : primaryPort)", "-U", "postgres", "-d", "turnpike",
            ],
            environment: ["LC_ALL": "C.UTF-8"],
            input: text
        )
        guard end.code == 0 else { throw TestClusterError(text: "psql: \(end.errors)") }
        return end.output.trimmingCharacters(in: .newlines)
    }

    /// Has the shell do something and waits for its word.
    private func order(_ words: String) async throws {
        try holder.fileHandleForWriting.write(contentsOf: Data((words + "\n").utf8))
        let handle = output.fileHandleForReading
        let answer = await onThread { String(decoding: handle.availableData, as: UTF8.self) }
        guard answer == "ok\n" else { throw TestClusterError(text: "\(words): \(answer)") }
    }
}
