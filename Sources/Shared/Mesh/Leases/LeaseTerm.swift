import Wire

/// How long a lease lives: what was asked for, under every bound that holds for it.
package struct LeaseTerm: Hashable, Sendable {
    /// The shortest lease.
    package static let least: Duration = .seconds(5)
    /// The longest lease where nobody says less.
    package static let systemMax: Duration = .seconds(3_600)
    /// From this length on the end is spread, so that leases that began together do not end together.
    static let spreadFrom: Duration = .seconds(60)

    /// Somebody who says how long at most.
    package struct Bound: Hashable, Sendable {
        /// Such as `the profile reader`.
        package let name: String
        package let most: Duration

        package init(_ name: String, _ most: Duration) {
            self.name = name
            self.most = most
        }
    }

    /// From now.
    package let duration: Duration
    /// The latest end, counted from when it was issued.
    package let most: Duration
    /// What was cut and by whom, for the caller.
    package let warnings: [String]

    /// The term of a new lease; `asked` is nil to take the usual one.
    ///
    /// By `random`, from 0 up to 1, up to a tenth of a long term is taken off.
    package static func issued(
        asked: Duration?,
        default usual: Duration,
        under bounds: [Bound],
        random: Double
    ) -> LeaseTerm {
        let all = bounds + [Bound("the system", systemMax)]
        var duration = asked ?? usual
        var most = duration
        var warnings: [String] = []
        if let tightest = all.min(by: { $0.most < $1.most }) {
            most = tightest.most
            if duration > most {
                duration = most
                if let asked { warnings.append(cut(asked, by: tightest)) }
            }
        }
        if duration < least {
            duration = min(least, most)
            warnings.append("no lease is shorter than \(DurationText.format(least))")
        }
        if duration >= spreadFrom {
            let share = 0.1 * min(max(random, 0), 1)
            duration = whole(duration * (1 - share))
        }
        return LeaseTerm(duration: whole(duration), most: whole(most), warnings: warnings)
    }

    /// The term of a lease that is renewed: counted from now, never beyond the latest end, which is
    /// `left` away; nil when it has passed.
    package static func renewed(
        asked: Duration?,
        default usual: Duration,
        left: Duration
    ) -> LeaseTerm? {
        guard left >= .seconds(1) else { return nil }
        var duration = max(asked ?? usual, .seconds(1))
        var warnings: [String] = []
        if duration > left {
            duration = left
            warnings.append(
                cut(asked ?? usual, by: Bound("the latest end of this lease", whole(left)))
            )
        }
        return LeaseTerm(duration: whole(duration), most: whole(left), warnings: warnings)
    }

    private static func cut(_ asked: Duration, by bound: Bound) -> String {
        "\(DurationText.format(asked)) was asked for; \(bound.name) allows"
            + " \(DurationText.format(bound.most))"
    }

    /// Clients count in seconds, so nothing may last a part of one longer than they are told.
    private static func whole(_ duration: Duration) -> Duration {
        .seconds(duration.components.seconds)
    }
}
