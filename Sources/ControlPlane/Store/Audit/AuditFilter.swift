package import Wire

/// Which audit records are asked for; nil means any.
package struct AuditFilter: Equatable, Sendable {
    package var actor: String?
    package var action: String?
    /// The beginning of the resource's path.
    package var resourcePrefix: String?
    package var outcome: String?
    package var requestID: String?
    /// From this time on.
    package var since: Timestamp?
    /// Before this time.
    package var until: Timestamp?

    package init() {}
}

/// Where a page of audit records ended.
package struct AuditCursor: Equatable, Sendable {
    package let at: Timestamp
    package let id: UUIDv7

    package init(at: Timestamp, id: UUIDv7) {
        self.at = at
        self.id = id
    }
}
