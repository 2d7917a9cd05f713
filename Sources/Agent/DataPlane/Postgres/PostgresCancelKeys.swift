import Crypto
import Wire

/// What proves that somebody may cancel what a session does.
package struct PostgresCancelKey: Equatable, Sendable {
    /// Which session; the number of a process to PostgreSQL, only a number to us.
    package let process: UInt32
    /// 4 bytes in protocol 3.0, up to 256 in 3.2.
    package let secret: [UInt8]

    package init(process: UInt32, secret: [UInt8]) {
        self.process = process
        self.secret = secret
    }
}

/// The agent's own cancel keys, and whose session on which target each of them stands for.
///
/// Programs never see the target's keys: a key of ours cancels through the agent alone, and only as
/// long as the session lives here.
package struct PostgresCancelKeys: Sendable {
    /// What a key stands for.
    package struct Session: Equatable, Sendable {
        /// The target's own key.
        package let key: PostgresCancelKey
        /// Which upstream's port the session came through; another one's cannot cancel it.
        package let port: UInt16

        package init(key: PostgresCancelKey, port: UInt16) {
            self.key = key
            self.port = port
        }
    }

    private struct Entry: Sendable {
        let secret: [UInt8]
        let session: Session
    }

    /// The most sessions that have keys.
    package let capacity: Int
    private var entries: [UInt32: Entry] = [:]

    /// No keys yet.
    package init(capacity: Int) {
        self.capacity = capacity
    }

    /// How many sessions have keys.
    package var count: Int { entries.count }

    /// Makes a key for a session from random bytes; nil when there are too many, or when the bytes
    /// name a session that there is (ask again with others).
    ///
    /// The first four of the bytes become the number, the others the secret.
    package mutating func issue(for session: Session, random: [UInt8]) -> PostgresCancelKey? {
        guard entries.count < capacity, random.count > 4 else { return nil }
        // Some programs take the number for a positive one.
        let process = random.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        guard process != 0, entries[process] == nil else { return nil }
        let secret = Array(random.dropFirst(4))
        entries[process] = Entry(secret: secret, session: session)
        return PostgresCancelKey(process: process, secret: secret)
    }

    /// The session that the key stands for; nil for a wrong secret, another port or an ended session.
    package func session(of key: PostgresCancelKey, port: UInt16) -> Session? {
        guard let entry = entries[key.process], constantTimeEquals(entry.secret, key.secret),
            entry.session.port == port
        else { return nil }
        return entry.session
    }

    /// Forgets the key of a session that ended.
    package mutating func remove(_ key: PostgresCancelKey) {
        entries[key.process] = nil
    }
}
