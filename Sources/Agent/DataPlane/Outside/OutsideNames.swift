package import Mesh

/// When to look which name up, and for how long an answer counts.
///
/// Pure: the driver asks the host's resolver and tells. An answer is asked for again after a while;
/// while no name server answers, the last one counts for a few minutes more, for the certificate at
/// the other end is verified whatever the address.
package struct OutsideNames: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Look-ups under way at once; the others wait.
    package static let lookupsMax = 4
    /// How long an answer is good for.
    package static let refreshInterval = Duration.seconds(30)
    /// How soon is asked again after a failure.
    package static let retryInterval = Duration.seconds(2)
    /// How long the last answer counts while no name server answers.
    package static let staleLifetime = Duration.seconds(300)
    /// The most addresses of one name that count.
    package static let addressesMax = 16

    /// What a look-up came to.
    package enum Answer: Equatable, Sendable {
        case addresses([IPAddress])
        /// The name exists nowhere.
        case unknownName
        /// Nobody answered.
        case noAnswer
    }

    private struct Entry {
        /// Nil before the first answer.
        var addresses: [IPAddress]?
        var answeredAt: Instant?
        var due: Instant
        var isUnderWay = false
    }

    private var entries: [HostName: Entry] = [:]
    private var underWayCount = 0

    package init() {}

    /// Looks these names up from now on, and no others.
    package mutating func configured(_ names: Set<HostName>, now: Instant) {
        entries = entries.filter { names.contains($0.key) }
        for name in names where entries[name] == nil { entries[name] = Entry(due: now) }
        underWayCount = entries.values.count(where: \.isUnderWay)
    }

    /// The names to look up now, as many as may be under way.
    package mutating func takeDue(now: Instant) -> [HostName] {
        guard underWayCount < Self.lookupsMax else { return [] }
        let due = entries.filter { !$0.value.isUnderWay && $0.value.due <= now }
            .sorted { ($0.value.due, $0.key.text) < ($1.value.due, $1.key.text) }
            .prefix(Self.lookupsMax - underWayCount)
            .map(\.key)
        for name in due { entries[name]?.isUnderWay = true }
        underWayCount += due.count
        return due
    }

    /// What a look-up came to; true when that changes where the name leads.
    ///
    /// An answer about a name that is no longer looked up counts nothing.
    package mutating func answered(_ name: HostName, _ answer: Answer, now: Instant) -> Bool {
        guard var entry = entries[name], entry.isUnderWay else { return false }
        entry.isUnderWay = false
        underWayCount -= 1
        let before = entry.addresses
        switch answer {
        case .addresses(let found):
            // The order in which name servers give them changes with every answer.
            entry.addresses = Set(found.prefix(Self.addressesMax)).sorted {
                $0.bytes.lexicographicallyPrecedes($1.bytes)
            }
            entry.answeredAt = now
            entry.due = now.advanced(by: Self.refreshInterval)
        case .unknownName:
            entry.addresses = []
            entry.due = now.advanced(by: Self.retryInterval)
        case .noAnswer:
            let age = entry.answeredAt.map { $0.duration(to: now) } ?? Self.staleLifetime
            if age >= Self.staleLifetime { entry.addresses = [] }
            entry.due = now.advanced(by: Self.retryInterval)
        }
        entries[name] = entry
        return entry.addresses != before
    }

    /// What is known now.
    package var addresses: OutsideAddresses {
        OutsideAddresses(byName: entries.compactMapValues(\.addresses))
    }
}
