/// Inbound connections in their handshakes, the oldest first.
///
/// Those that are over stay in the array until it is half empty, so that every operation costs the
/// same however many wait.
struct PendingHandshakes {
    private var queue: [RelayConnection] = []
    private var start = 0
    private(set) var count = 0

    mutating func insert(_ connection: RelayConnection) {
        connection.isHandshakePending = true
        queue.append(connection)
        count += 1
    }

    /// Takes a connection out whose handshake is over; one that is out already changes nothing.
    mutating func remove(_ connection: RelayConnection) {
        guard connection.isHandshakePending else { return }
        connection.isHandshakePending = false
        count -= 1
        tidy()
    }

    /// Takes out the one that waits longest.
    mutating func takeOldest() -> RelayConnection? {
        while start < queue.count {
            let connection = queue[start]
            start += 1
            guard connection.isHandshakePending else { continue }
            remove(connection)
            return connection
        }
        return nil
    }

    /// Lets go of connections that are over.
    private mutating func tidy() {
        guard queue.count > 2 * count + 64 || count == 0 else { return }
        queue = queue[start...].filter(\.isHandshakePending)
        start = 0
    }
}
