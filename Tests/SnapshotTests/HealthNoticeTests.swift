import Mesh
import Snapshot
import Testing

@Suite struct HealthNoticeTests {
    @Test func whatIsWrittenIsReadBack() throws {
        let notice = HealthNotice(weights: [
            try ServiceName("shop/db"): [try AgentName("host-b"): 0, try AgentName("host-c"): 7],
            try ServiceName("shop/web"): [:],
        ])
        var decoder = FrameDecoder()
        decoder.append(try Frame.encode(.health(notice)))
        #expect(try decoder.next() == .health(notice))
    }

    @Test func aNoticeOfTooManyIsCutAndNotRefused() throws {
        let agents = try (0...HealthNotice.entriesMax).map { (try AgentName("h\($0)"), 0) }
        let service = try ServiceName("db")
        let notice = HealthNotice(weights: [service: Dictionary(uniqueKeysWithValues: agents)])
        var decoder = FrameDecoder()
        decoder.append(try Frame.encode(.health(notice)))
        guard case .health(let read) = try decoder.next() else {
            Issue.record("no notice")
            return
        }
        #expect(read.weights[service]?.count == HealthNotice.entriesMax)
    }
}
