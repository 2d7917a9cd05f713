import Testing

@testable import Reactor

struct ChildProcessTests {
    private let environment = ["PATH": "/usr/bin:/bin"]

    private func shell(_ script: String) -> Command {
        Command("/bin/sh", ["-c", script], environment: environment)
    }

    private func withReactor<Value>(_ body: (Reactor) async throws -> Value) async throws -> Value {
        let thread = try ReactorThread(name: "children")
        defer { thread.stop() }
        return try await body(thread.reactor)
    }

    @Test(arguments: [(0, ChildStatus.exited(code: 0)), (7, .exited(code: 7))])
    func exitCodeArrives(_ code: Int, _ expected: ChildStatus) async throws {
        try await withReactor { reactor in
            let child = try await ChildProcess.start(shell("exit \(code)"), on: reactor)
            #expect(await child.exitStatus() == expected)
            #expect(await child.exitStatus() == expected)
            #expect(await reactor.perform { $0.registrationCount } == 0)
        }
    }

    @Test func signalEndsTheWholeGroup() async throws {
        try await withReactor { reactor in
            let child = try await ChildProcess.start(shell("sleep 600 & wait"), on: reactor)
            let early = await child.exitStatus(deadline: .now.advanced(by: .milliseconds(10)))
            #expect(early == nil)
            #expect(await child.stop(grace: .seconds(20)) == .killed(signal: 15))
        }
    }

    @Test func stubbornChildIsKilledAfterItsGrace() async throws {
        try await withReactor { reactor in
            var command = shell("trap '' TERM; echo ready; while :; do sleep 1; done")
            command.output = .pipe
            let child = try await ChildProcess.start(command, on: reactor)
            let output = await reactor.perform { _ in child.takeOutput().relinquish() }
            let pipe = Descriptor(owning: output)
            let source = try #require(
                await reactor.perform { try? ReadinessSource.make(number: output, on: $0) }
            )
            try await source.readable(deadline: .now.advanced(by: .seconds(20)))
            source.close()
            #expect(await child.stop(grace: .milliseconds(50)) == .killed(signal: 9))
            withExtendedLifetime(pipe) {}
        }
    }

    @Test func runGivesInputAndKeepsOutput() async throws {
        try await withReactor { reactor in
            let input = [UInt8](repeating: 97, count: 300_000)
            let outcome = try await shell("cat; echo wrong >&2; exit 3")
                .run(input: input, on: reactor, deadline: .seconds(60))
            #expect(outcome.status == .exited(code: 3))
            #expect(outcome.output == input)
            #expect(outcome.error == Array("wrong\n".utf8))
            #expect(!outcome.isTruncated)
        }
    }

    @Test func outputBeyondTheLimitIsDropped() async throws {
        try await withReactor { reactor in
            let outcome = try await shell("head -c 100000 /dev/zero")
                .run(on: reactor, deadline: .seconds(60), outputByteCountMax: 1_000)
            #expect(outcome.output.count == 1_000)
            #expect(outcome.isTruncated)
            #expect(outcome.status.isSuccess)
        }
    }

    @Test func commandThatTakesTooLongIsKilled() async throws {
        try await withReactor { reactor in
            _ = await #expect(throws: CommandFailure.killed) {
                try await shell("sleep 600").run(on: reactor, deadline: .milliseconds(20))
            }
        }
    }

    @Test func failedStartNamesItsStage() async throws {
        try await withReactor { reactor in
            let cases: [(Command, SpawnError.Stage)] = [
                (Command("/nonexistent/program"), .execute),
                (Command("/bin/sh", directory: "/nonexistent"), .directory),
                (Command("/bin/sh", ["a\0b"]), .arguments),
                (Command("/bin/sh", environment: ["A=B": "x"]), .arguments),
            ]
            for (command, stage) in cases {
                do throws(SpawnError) {
                    _ = try await ChildProcess.start(command, on: reactor)
                    Issue.record("\(command.program) started")
                } catch {
                    #expect(error.stage == stage)
                }
            }
            #expect(await reactor.perform { $0.registrationCount } == 0)
        }
    }

    @Test func childSeesOnlyWhatItIsGiven() async throws {
        try await withReactor { reactor in
            try ProcessLimits.ignoreBrokenPipe()
            // A descriptor without close-on-exec, as a careless library might leave one.
            let leak = try Descriptor.pipe()
            let script = "env; ls /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status; pwd"
            var command = shell(script)
            command.environment["ONE"] = "1"
            command.directory = "/usr"
            let outcome = try await command.run(on: reactor, deadline: .seconds(60))
            let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
            #expect(lines.contains("ONE=1"))
            #expect(!lines.contains { $0.hasPrefix("HOME=") })
            // 3 is the directory that `ls` itself has open.
            #expect(lines.filter { Int($0) != nil } == ["0", "1", "2", "3"])
            #expect(lines.contains("SigBlk:\t0000000000000000"))
            let ignored = try #require(lines.first { $0.hasPrefix("SigIgn:\t") })
            let mask = try #require(UInt64(ignored.dropFirst(8), radix: 16))
            // Signals 1 to 31; those above belong to the C library.
            #expect(mask & 0x7fff_ffff == 0)
            #expect(lines.last == "/usr")
            withExtendedLifetime(leak) {}
        }
    }

    @Test(.enabled(if: ProcessLimits.effectiveUser == 0, "needs root to become another user"))
    func userIsDroppedWithItsGroups() async throws {
        try await withReactor { reactor in
            var command = shell("id -u; id -g; id -G; grep CapEff /proc/self/status")
            command.user = Command.User(uid: 54_321, gid: 54_322, groups: [54_323])
            let outcome = try await command.run(on: reactor, deadline: .seconds(60))
            let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
            #expect(
                lines == ["54321", "54322", "54322 54323", "CapEff:\t0000000000000000"]
            )
        }
    }

    @Test func usersAreFoundByName() throws {
        #expect(try Command.User.named("root")?.uid == 0)
        #expect(try Command.User.named("no-such-user-here") == nil)
    }

    @Test func hundredChildrenLeaveNoZombie() async throws {
        try await withReactor { reactor in
            let succeeded = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        let command = Command("/bin/true")
                        let child = try await ChildProcess.start(command, on: reactor)
                        return await child.exitStatus()?.isSuccess == true
                    }
                }
                return try await group.reduce(0) { $1 ? $0 + 1 : $0 }
            }
            #expect(succeeded == 100)
            #expect(await reactor.perform { $0.registrationCount } == 0)
        }
    }
}
