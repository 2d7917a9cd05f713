/// A value that belongs to one reactor's thread, in a box that may cross threads.
///
/// The way to reach a lane's connections from posted work: the box is captured, the value is touched
/// only on the reactor, and touching it elsewhere traps in every build.
///
/// Sendable because the only access is checked against the owning thread. The last reference to the
/// box may go away on any thread, so a value that needs its thread to end must be emptied before.
package final class Confined<Value>: @unchecked Sendable {
    package let reactor: Reactor
    private var stored: Value

    /// Confines a value that nobody else refers to.
    package init(_ value: sending Value, to reactor: Reactor) {
        self.reactor = reactor
        stored = value
    }

    /// The value; only on the reactor's thread.
    package var value: Value {
        get {
            reactor.preconditionOnReactor()
            return stored
        }
        _modify {
            reactor.preconditionOnReactor()
            yield &stored
        }
    }
}
