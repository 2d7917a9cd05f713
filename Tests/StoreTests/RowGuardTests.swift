import Crypto
import Store
import Synchronization
import Testing
import Wire

@Suite struct RowGuardTests {
    private let key = SecretBytes(copying: [UInt8](repeating: 1, count: 32))

    private func content(_ name: String = "a", _ list: [String] = ["x", "y"]) -> RowContent {
        var content = RowContent(table: "things", key: "1")
        content.add("name", name)
        content.add("list", list)
        content.add("count", Int64(3))
        content.add("at", Timestamp?.none)
        content.add("document", Document?.some(["b": 1, "a": 2]))
        return content
    }

    @Test func onlyTheSameContentIsAuthentic() {
        let alarms = Mutex<[RowAlarm]>([])
        let rowGuard = RowGuard(keys: [1: key], activeVersion: 1) { alarm in
            alarms.withLock { $0.append(alarm) }
        }
        let tag = rowGuard.tag(content())
        #expect(rowGuard.isAuthentic(content(), tag: tag))
        #expect(alarms.withLock { $0 }.isEmpty)
        let others = [content("b"), content("a", ["xy"]), content("a", ["x", "y", ""])]
        for other in others { #expect(!rowGuard.isAuthentic(other, tag: tag)) }
        for index in tag.indices {
            var altered = tag
            altered[index] ^= 0x80
            #expect(!rowGuard.isAuthentic(content(), tag: altered))
        }
        #expect(!rowGuard.isAuthentic(content(), tag: []))
        #expect(!rowGuard.isAuthentic(content(), tag: Array(tag.dropLast())))
        #expect(alarms.withLock { Set($0) } == [RowAlarm(table: "things", key: "1")])
    }

    @Test func absentAndEmptyDiffer() {
        var absent = RowContent(table: "t", key: "k")
        absent.add("name", String?.none)
        var empty = RowContent(table: "t", key: "k")
        empty.add("name", String?.some(""))
        #expect(absent != empty)
    }

    @Test func olderKeysStillVerify() {
        let old = RowGuard(keys: [1: key], activeVersion: 1) { _ in }
        let newKey = SecretBytes(copying: [UInt8](repeating: 2, count: 32))
        let both = RowGuard(keys: [1: key, 2: newKey], activeVersion: 2) { _ in }
        #expect(both.isAuthentic(content(), tag: old.tag(content())))
        #expect(!old.isAuthentic(content(), tag: both.tag(content())))
    }
}
