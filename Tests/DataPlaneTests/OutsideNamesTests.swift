import DataPlane
import Mesh
import Testing

/// The machine where `#expect` can call it.
private final class Resolver {
    private var names = OutsideNames()

    func configured(_ all: Set<HostName>, now: OutsideNames.Instant) {
        names.configured(all, now: now)
    }

    func takeDue(now: OutsideNames.Instant) -> [HostName] { names.takeDue(now: now) }

    func answered(
        _ name: HostName,
        _ answer: OutsideNames.Answer,
        now: OutsideNames.Instant
    ) -> Bool {
        names.answered(name, answer, now: now)
    }

    var addresses: OutsideAddresses { names.addresses }
}

@Suite struct OutsideNamesTests {
    private let start = ContinuousClock.now
    private let one: IPAddress
    private let two: IPAddress
    private let name: HostName

    init() throws {
        one = try IPAddress("192.0.2.1")
        two = try IPAddress("192.0.2.2")
        name = try HostName("db.example.com")
    }

    private func asked() -> Resolver {
        let names = Resolver()
        names.configured([name], now: start)
        _ = names.takeDue(now: start)
        return names
    }

    @Test func anAnswerCountsForAWhileAndIsAskedForAgain() {
        let names = Resolver()
        names.configured([name], now: start)
        #expect(names.addresses == OutsideAddresses())
        #expect(names.takeDue(now: start) == [name])
        #expect(names.takeDue(now: start).isEmpty)
        #expect(names.answered(name, .addresses([two, one]), now: start))
        #expect(names.addresses.byName[name] == [one, two])
        #expect(names.takeDue(now: start + .seconds(29)).isEmpty)
        #expect(names.takeDue(now: start + .seconds(30)) == [name])
        // The order says nothing.
        #expect(!names.answered(name, .addresses([one, two]), now: start + .seconds(30)))
    }

    @Test func theHostsOwnAddressesAreNoneOfATargets() throws {
        func target(_ host: String, allowsLocal: Bool = false) throws -> ExternalTarget {
            ExternalTarget(
                service: try ServiceName("default/db"),
                agent: try AgentName("egress"),
                host: try OutsideHost(host),
                port: 5_432,
                security: .plain,
                allowsLocal: allowsLocal
            )
        }
        let mapped = try IPAddress("::ffff:c000:201")
        var addresses = OutsideAddresses(byName: [name: [one, two, mapped]])
        // As long as nobody knows them, no address is known to be another's.
        #expect(addresses.admitted(try target("db.example.com")) == nil)
        #expect(addresses.admitted(try target("192.0.2.1")) == nil)
        addresses.own = [one]
        #expect(addresses.admitted(try target("db.example.com")) == [two])
        #expect(addresses.admitted(try target("192.0.2.1")) == [])
        #expect(addresses.admitted(try target("192.0.2.1", allowsLocal: true)) == [one])
        #expect(addresses.admitted(try target("other.example.com")) == nil)
    }

    @Test func aNameThatIsGoneLeadsNowhereAtOnce() {
        let names = asked()
        _ = names.answered(name, .addresses([one]), now: start)
        _ = names.takeDue(now: start + .seconds(30))
        #expect(names.answered(name, .unknownName, now: start + .seconds(30)))
        #expect(names.addresses.byName[name] == [])
        #expect(names.takeDue(now: start + .seconds(31)).isEmpty)
        #expect(names.takeDue(now: start + .seconds(32)) == [name])
    }

    @Test func theLastAnswerOutlivesSilenceForAFewMinutesOnly() {
        let names = asked()
        _ = names.answered(name, .addresses([one]), now: start)
        _ = names.takeDue(now: start + .seconds(299))
        #expect(!names.answered(name, .noAnswer, now: start + .seconds(299)))
        #expect(names.addresses.byName[name] == [one])
        _ = names.takeDue(now: start + .seconds(301))
        #expect(names.answered(name, .noAnswer, now: start + .seconds(301)))
        #expect(names.addresses.byName[name] == [])
    }

    @Test func silenceAboutANewNameIsAnAnswerToo() {
        let names = asked()
        #expect(names.answered(name, .noAnswer, now: start))
        #expect(names.addresses.byName[name] == [])
    }

    @Test func fewLookUpsAreUnderWayAtOnce() throws {
        let names = Resolver()
        let all = try Set((0..<10).map { try HostName("h\($0).example.com") })
        names.configured(all, now: start)
        let first = names.takeDue(now: start)
        #expect(first.count == OutsideNames.lookupsMax)
        _ = names.answered(try #require(first.first), .noAnswer, now: start)
        #expect(names.takeDue(now: start).count == 1)
    }

    @Test func whatIsNoLongerNamedIsForgotten() {
        let names = asked()
        names.configured([], now: start)
        #expect(!names.answered(name, .addresses([one]), now: start))
        #expect(names.addresses == OutsideAddresses())
    }
}
