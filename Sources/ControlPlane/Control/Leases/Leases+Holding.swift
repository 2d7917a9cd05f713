package import Mesh
import Postgres
import Store
package import Wire

extension Leases {
    /// The most names of a list.
    package static let namesMax = 10_000

    /// The lease that a caller speaks of: whoever asked for it with this very token may, and else who
    /// may `update` a path.
    ///
    /// Nil for no lease of that name, which only those hear who may ask about any.
    package func held(
        _ text: String,
        by caller: Caller,
        orWith path: String
    ) async throws(ControlError) -> HeldLease? {
        var found: HeldLease?
        // Who is denied is denied what is their own, too.
        guard !caller.isDenied(on: path) else {
            try control.identity.authorise(caller, .update, on: path)
            return nil
        }
        if let name = try? LeaseID(text) {
            found = try await control.read { database in
                let row = try await LeaseRepository.find(
                    name.id,
                    guardedBy: control.rowGuard,
                    in: database
                )
                guard let row, row.name == name else { return nil }
                return HeldLease(row: row, at: try await ServerRepository.time(in: database))
            }
        }
        if found?.row.isHeld(by: caller) != true {
            try control.identity.authorise(caller, .update, on: path)
        }
        return found
    }

    /// The next segments of the names of open leases that begin so, as a list of Vault's gives them.
    package func names(below prefix: String) async throws(ControlError) -> [String] {
        let parts = prefix.split(separator: "/").map(String.init)
        guard let known = try? LeasePrefix(parts.isEmpty ? "database" : prefix) else { return [] }
        switch known {
        case .lease: return []
        case .all:
            let profiles = try await control.read { try await LeaseRepository.profiles(in: $0) }
            if profiles.isEmpty { return [] }
            switch parts.count {
            case 0: return ["database/"]
            case 1: return ["creds/"]
            default: return profiles.map { "\($0)/" }
            }
        case .profile(let profile): return try await names(of: profile)
        }
    }

    private func names(of profile: ProfileName) async throws(ControlError) -> [String] {
        var names: [String] = []
        var after: UUIDv7?
        repeat {
            let page = try await list(of: profile, after: after, limit: 1_000)
            names += page.items.filter(\.isOut).map(\.name.key)
            after = page.next.flatMap { try? UUIDv7(parsing: $0) }
        } while after != nil && names.count < Self.namesMax
        return names
    }

    /// Leases that could not be ended yet though they were tried, the oldest first.
    package func stuck(
        limit: Int
    ) async throws(ControlError) -> (count: Int, leases: [(name: LeaseID, error: String)]) {
        try await control.read { try await LeaseRepository.stuck(limit: limit, in: $0) }
    }

    /// Lets every target be swept within half a minute.
    package func tidy(by caller: Caller) async throws(ControlError) {
        try await control.act(caller, action: "lease.tidy", resource: "leases") { act in
            try await LeaseSweepRepository.forget(in: act.database)
        }
    }
}

/// A lease that somebody spoke of by its name.
package struct HeldLease: Sendable {
    fileprivate let row: LeaseRow
    /// When it was looked at, by the database's clock.
    private let at: Timestamp

    fileprivate init(row: LeaseRow, at: Timestamp) {
        self.row = row
        self.at = at
    }

    package var name: LeaseID { row.name }

    /// Whether its credential is out and still good for something.
    package var isOut: Bool { row.isOut }

    /// The lease as a client of Vault looks it up.
    package var lookup: Document {
        let isLive = row.state == .active
        let left = row.expiresAt.duration(since: at).components.seconds
        return .fields([
            "id": .string(name.description),
            "path": .string(name.path),
            "issue_time": row.issuedAt.map { .timestamp($0) } ?? Document.null,
            "expire_time": .timestamp(row.expiresAt),
            "last_renewal": row.renewedAt.map { .timestamp($0) } ?? Document.null,
            "renewable": .bool(isLive),
            "ttl": .number(isLive ? max(0, left) : 0),
        ])
    }
}

extension LeaseRow {
    /// Whether its credential is out and still good for something.
    fileprivate var isOut: Bool { issuedAt != nil && accessEndedAt == nil }

    /// Whether this very token asked for it.
    fileprivate func isHeld(by caller: Caller) -> Bool {
        guard let accessor = caller.accessor else { return false }
        // Who asked is under the row's tag, so that nobody becomes a holder behind the server's back.
        return isAuthentic && token == accessor && principal == caller.principal
    }
}
