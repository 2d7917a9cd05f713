import Testing

@testable import Reactor

struct ServiceNotificationTests {
    @Test func textHasOneLine() {
        #expect(ServiceNotification.ready.text == "READY=1")
        #expect(ServiceNotification.stopping.text == "STOPPING=1")
        #expect(ServiceNotification.status("a\nREADY=1").text == "STATUS=a READY=1")
    }

    @Test(arguments: ["", "relative", "/nonexistent/notify.sock", "/a\0b"])
    func addressWithoutAManagerIsAnError(_ address: String) {
        #expect(throws: SystemError.self) { try ServiceNotification.ready.send(to: address) }
    }

    @Test func managerReceivesTheMessage() async throws {
        let thread = try ReactorThread(name: "notify")
        defer { thread.stop() }
        let path = "/tmp/turnpike-notify-\(String(try Entropy.random(), radix: 36))"
        let script = """
            socket(my $manager, AF_UNIX, SOCK_DGRAM, 0) or die;
            bind($manager, sockaddr_un("\(path)")) or die;
            alarm 30; recv($manager, my $text, 100, 0); print "$text\\n";
            """
        let receiver = Task(executorPreference: thread.reactor) {
            try await Command("/usr/bin/perl", ["-MSocket", "-e", script])
                .run(on: thread.reactor, deadline: .seconds(60))
        }
        var isSent = false
        for _ in 0..<2_000 where !isSent {
            isSent = (try? ServiceNotification.ready.send(to: path)) != nil
            if !isSent { try await thread.reactor.sleep(for: .milliseconds(5)) }
        }
        #expect(try await receiver.value.output == Array("READY=1\n".utf8))
        try FileSystem.remove(path)
    }
}
