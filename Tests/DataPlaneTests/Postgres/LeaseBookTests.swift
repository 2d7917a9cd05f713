import Crypto
import Mesh
import Snapshot
import Support
import Testing
import Wire

@testable import DataPlane

/// Leases are asked for ahead of need, renewed or replaced in time, and given back.
@Suite struct LeaseBookTests {
    private static let start = Timestamp(secondsSinceEpoch: 1_800_000_000)

    private let need: LeaseNeed
    private let keys: SCRAM.Keys
    private let names: [LeaseID]

    init() throws {
        let profile = try ProfileName("reader")
        need = LeaseNeed(source: try ServiceName("reports"), profile: profile)
        keys = try SCRAM.Keys(
            of: SecretBytes(copying: Array("secret".utf8)),
            salt: [UInt8](repeating: 7, count: SCRAM.saltByteCount)
        )
        names = (1...3).map { number in
            let random = [UInt8](repeating: UInt8(number), count: UUIDv7.randomByteCount)
            return LeaseID(profile: profile, id: UUIDv7(timestamp: Self.start, random: random))
        }
    }

    private func account(_ index: Int, life: Int, most: Int) throws -> LeasedAccount {
        LeasedAccount(
            lease: names[index],
            remaining: .seconds(life),
            mostRemaining: .seconds(most),
            host: try OutsideHost("db.example.com"),
            port: 5_432,
            authorities: [],
            database: "orders",
            settings: []
        )
    }

    private func due(_ book: inout LeaseBook, at seconds: Int) -> [AgentLeaseRequest] {
        let keys = keys
        return book.due(now: Self.start + .seconds(seconds)) { keys }
    }

    private func take(
        _ book: inout LeaseBook,
        _ answer: AgentLeaseAnswer,
        at seconds: Int
    ) -> Bool {
        book.received(answer, now: Self.start + .seconds(seconds), jitter: 1)
    }

    @Test func aLeaseIsRenewedThenReplacedAndGivenBack() throws {
        var book = LeaseBook()
        let isLess = book.follow([need: 15_432])
        #expect(!isLess)
        let first = try #require(due(&book, at: 0).first)
        guard case .issue(15_432, need.profile, let verifier) = first.act else {
            Issue.record("\(first)")
            return
        }
        #expect(verifier.text == keys.verifier)
        #expect(due(&book, at: 1).isEmpty)
        let issued = try AgentLeaseAnswer(id: first.id, account: account(0, life: 60, most: 200))
        #expect(take(&book, issued, at: 2))
        #expect(book.leases[need]?.account.lease == names[0])
        // Counted from when it was asked for.
        #expect(book.leases[need]?.deadline.renewal == Self.start + .seconds(40))
        #expect(due(&book, at: 39).isEmpty)
        let second = try #require(due(&book, at: 40).first)
        #expect(second.act == .renew(names[0]))
        let renewed = try AgentLeaseAnswer(id: second.id, account: account(0, life: 60, most: 70))
        #expect(take(&book, renewed, at: 41))
        // What is left to gain is less than what is left: another lease takes its place.
        let third = try #require(due(&book, at: 80).first)
        guard case .issue = third.act else {
            Issue.record("\(third)")
            return
        }
        #expect(book.leases[need]?.account.lease == names[0])
        let next = try AgentLeaseAnswer(id: third.id, account: account(1, life: 60, most: 200))
        #expect(take(&book, next, at: 81))
        #expect(book.leases[need]?.account.lease == names[1])
        let isGone = book.follow([:])
        #expect(isGone && book.leases.isEmpty)
        #expect(due(&book, at: 82).map(\.act) == [.revoke(names[1])])
        #expect(book.isEmpty)
    }

    @Test func aRefusalIsWaitedOutAndAUselessLeaseReplaced() throws {
        var book = LeaseBook()
        _ = book.follow([need: 15_432])
        let first = try #require(due(&book, at: 0).first)
        let refusal = AgentLeaseAnswer(id: first.id, error: "no: no", retryAfter: .seconds(9))
        #expect(!take(&book, refusal, at: 0))
        #expect(due(&book, at: 8).isEmpty)
        let second = try #require(due(&book, at: 9).first)
        let issued = try AgentLeaseAnswer(id: second.id, account: account(0, life: 60, most: 200))
        #expect(take(&book, issued, at: 9))
        let isChanged = book.discard([names[0]])
        #expect(isChanged && book.leases.isEmpty)
        let acts = due(&book, at: 9).map(\.act)
        #expect(acts.first == .revoke(names[0]) && acts.count == 2)
        // Nobody answers any more, so it is asked for again.
        book.disconnected()
        #expect(due(&book, at: 10).count == 1)
    }

    @Test func anAnswerThatNobodyWaitsForIsGivenBack() throws {
        var book = LeaseBook()
        _ = book.follow([need: 15_432])
        let first = try #require(due(&book, at: 0).first)
        _ = book.follow([:])
        let late = try AgentLeaseAnswer(id: first.id, account: account(0, life: 60, most: 200))
        #expect(!take(&book, late, at: 1))
        #expect(due(&book, at: 1).map(\.act) == [.revoke(names[0])])
    }

    @Test func theDeskRemembersUselessLeasesOnceAndKeysUntilTheirEnd() throws {
        let desk = PostgresDesk()
        desk.discard(names[0])
        #expect(desk.takeDiscarded() == [names[0]])
        #expect(desk.takeDiscarded().isEmpty)
        let session = PostgresCancelKeys.Session(
            key: PostgresCancelKey(process: 5, secret: [1, 2, 3, 4]),
            port: 15_432
        )
        let random = [UInt8](repeating: 9, count: 8)
        let key = try #require(desk.issue(for: session, random: random))
        #expect(desk.session(of: key, port: 15_432) == session)
        #expect(desk.session(of: key, port: 1) == nil)
        desk.remove(key)
        #expect(desk.session(of: key, port: 15_432) == nil)
    }
}
