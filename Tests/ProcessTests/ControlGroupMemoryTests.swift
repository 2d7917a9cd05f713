import Testing

@testable import turnpike_agent

@Suite struct ControlGroupMemoryTests {
    private func limit(_ files: [String: String]) -> Int? {
        ControlGroupMemory.limit { files[$0] }
    }

    @Test func theSmallestOfTheGroupsAboveCounts() {
        let files = [
            "/proc/self/cgroup": "0::/system.slice/agent.service\n",
            "/sys/fs/cgroup/system.slice/agent.service/memory.max": "536870912\n",
            "/sys/fs/cgroup/system.slice/memory.max": "268435456\n",
            "/sys/fs/cgroup/memory.max": "max\n",
        ]
        #expect(limit(files) == 268_435_456)
    }

    @Test func theFirstVersionHasAFileOfItsOwn() {
        let files = [
            "/proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n",
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "1048576\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ]
        #expect(limit(files) == 1_048_576)
    }

    @Test func aContainerSeesItsGroupAtTheTop() {
        let files = [
            "/proc/self/cgroup": "0::/../../elsewhere\n",
            "/sys/fs/cgroup/memory.max": "1000000\n",
        ]
        #expect(limit(files) == 1_000_000)
    }

    @Test(arguments: [
        [:], ["/proc/self/cgroup": ""], ["/proc/self/cgroup": "nonsense\n::\n0::\n"],
        ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"],
        ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "-5\n"],
        ["/proc/self/cgroup": "4:memory:/\n"],
    ])
    func withoutALimitThereIsNone(files: [String: String]) {
        #expect(limit(files) == nil)
    }
}
