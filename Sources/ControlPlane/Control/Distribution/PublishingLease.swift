/// How long a replica may show what it signs: a while from its last committed transaction.
///
/// A replica that was stopped, or cut off from the database, knows nothing of what the others
/// published meanwhile. It shows nothing until it has compared itself with the database again.
/// Shorter than the time for which others count its agents as reached, so that an agent that it
/// leaves behind is missed, not overlooked.
struct PublishingLease: Equatable, Sendable {
    typealias Instant = ContinuousClock.Instant

    static let duration = Duration.seconds(15)
    /// How much longer a replica that knows of no other one keeps its agents, which have nowhere
    /// better to go; still shorter than the minute for which they count as live.
    static let lonePatience = Duration.seconds(30)

    /// Nil before the first grant and after a loss.
    private(set) var end: Instant?
    private(set) var wasGranted = false

    /// The database has answered a transaction that began at this instant.
    mutating func renewed(at began: Instant) {
        wasGranted = true
        end = max(end ?? began, began + Self.duration)
    }

    func holds(at now: Instant) -> Bool { end.map { now < $0 } ?? false }

    /// Nothing is shown before the next grant.
    mutating func lost() { end = nil }
}
