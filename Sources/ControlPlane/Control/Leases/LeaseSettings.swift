/// What the operator of a replica decided about leases.
package struct LeaseSettings: Equatable, Sendable {
    /// Whether targets may be unix sockets: whoever may write targets then reaches every database
    /// that lets this process's user in.
    package var allowsSockets = false
    /// Where the authorities of targets are written for libpq; without it no target can be verified.
    package var directory: String?
    /// The most leases that one principal holds at a time.
    package var principalMax = 100
    /// How far the clock of a target may be from the database's.
    package var clockOffsetMax: Duration = .seconds(30)
    /// How long after the intent a role may still be made.
    package var createWithin: Duration = .seconds(60)

    package init() {}
}
