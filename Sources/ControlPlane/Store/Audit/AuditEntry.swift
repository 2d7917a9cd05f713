package import Wire

/// What an audit record is made of before it gets its place in a chain.
package struct AuditEntry: Equatable, Sendable {
    /// A principal, never a credential.
    package var actor: String
    /// A stable word such as `token.create`.
    package var action: String
    /// The canonical path of what it was done to.
    package var resource: String
    /// A stable word: `success`, `unchanged`, `refused`, `failed`, `alarm`.
    package var outcome: String
    /// Why, as a stable word; nil where the outcome says it all.
    package var reason: String?
    package var sourceAddress: String?
    package var requestID: String?
    package var detail: Document?

    package init(
        actor: String,
        action: String,
        resource: String,
        outcome: String = "success",
        reason: String? = nil,
        sourceAddress: String? = nil,
        requestID: String? = nil,
        detail: Document? = nil
    ) {
        self.actor = actor
        self.action = action
        self.resource = resource
        self.outcome = outcome
        self.reason = reason
        self.sourceAddress = sourceAddress
        self.requestID = requestID
        self.detail = detail
    }
}
