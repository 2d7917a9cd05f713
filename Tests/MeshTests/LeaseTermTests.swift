import Mesh
import Testing

/// How long a lease lives.
@Suite struct LeaseTermTests {
    private func issued(
        _ asked: Int?,
        default usual: Int = 60,
        _ bounds: [(String, Int)] = [],
        random: Double = 0
    ) -> LeaseTerm {
        LeaseTerm.issued(
            asked: asked.map { .seconds($0) },
            default: .seconds(usual),
            under: bounds.map { LeaseTerm.Bound($0.0, .seconds($0.1)) },
            random: random
        )
    }

    @Test func tightestBoundHolds() {
        let term = issued(
            900,
            [("the profile p", 600), ("the stage s", 120), ("the mount m", 300)]
        )
        #expect(term.duration == .seconds(120))
        #expect(term.most == .seconds(120))
        #expect(term.warnings == ["15m was asked for; the stage s allows 2m"])
    }

    @Test func nothingOutlivesTheSystem() {
        #expect(issued(86_400, [("the profile p", 90_000)]).duration == LeaseTerm.systemMax)
        // Nobody asked for it, so nobody is told.
        #expect(issued(nil, default: 7_200).warnings.isEmpty)
    }

    @Test func tooShortIsLengthenedButNotBeyondABound() {
        #expect(issued(1).duration == LeaseTerm.least)
        #expect(issued(1).warnings.count == 1)
        #expect(issued(1, [("the stage s", 3)]).duration == .seconds(3))
    }

    @Test func endsAreSpreadOverATenth() {
        #expect(issued(600, random: 0).duration == .seconds(600))
        #expect(issued(600, random: 0.5).duration == .seconds(570))
        #expect(issued(600, random: 1).duration == .seconds(540))
        #expect(issued(600, random: 7).duration == .seconds(540))
        #expect(issued(30, random: 1).duration == .seconds(30))
        // What it may become by renewal is not.
        #expect(issued(nil, default: 60, [("the profile p", 600)], random: 1).most == .seconds(600))
    }

    @Test func renewalCountsFromNowAndEndsAtTheLast() throws {
        let short = try #require(
            LeaseTerm.renewed(asked: .seconds(30), default: .seconds(60), left: .seconds(500))
        )
        #expect(short.duration == .seconds(30))
        #expect(short.warnings.isEmpty)
        let long = try #require(
            LeaseTerm.renewed(asked: .seconds(900), default: .seconds(60), left: .seconds(500))
        )
        #expect(long.duration == .seconds(500))
        #expect(long.warnings.count == 1)
        let usual = LeaseTerm.renewed(asked: nil, default: .seconds(60), left: .seconds(500))
        #expect(usual?.duration == .seconds(60))
        #expect(LeaseTerm.renewed(asked: nil, default: .seconds(60), left: .zero) == nil)
        #expect(LeaseTerm.renewed(asked: nil, default: .seconds(60), left: .seconds(-5)) == nil)
        // Zero and less than nothing are the shortest, never for ever.
        let none = LeaseTerm.renewed(asked: .seconds(-9), default: .seconds(60), left: .seconds(5))
        #expect(none?.duration == .seconds(1))
    }
}
