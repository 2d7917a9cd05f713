/// Where a lease is on its way; it never goes back, and there is no state from which nothing leads.
package enum LeaseState: String, Hashable, Sendable, CaseIterable {
    /// The intent is committed; the role may or may not exist.
    case creating
    /// The credential was handed out.
    case active
    /// Its access is being taken away, for as long as that takes.
    case revoking
    /// The role is gone.
    case revoked
    /// It never became active, and nothing of it is left.
    case aborted

    /// Whether something may still be left of it on its target.
    package var isOpen: Bool {
        switch self {
        case .creating, .active, .revoking: true
        case .revoked, .aborted: false
        }
    }
}
