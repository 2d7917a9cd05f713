import Postgres
package import Wire

/// One entry of the feed by which readers catch up.
package struct Change: Equatable, Sendable {
    /// What kind of thing changed.
    package enum Kind: String, Equatable, Sendable, CaseIterable, PostgresCodable {
        case namespace, service, placement, instance, upstream, intention, agent, trust
    }

    /// What happened to it.
    package enum Action: String, Equatable, Sendable, CaseIterable, PostgresCodable {
        case create, update, delete
    }

    package let kind: Kind
    /// The resource path without the kind, such as `default/orders-db`.
    package let key: String
    package let action: Action

    package init(_ kind: Kind, key: String, _ action: Action) {
        self.kind = kind
        self.key = key
        self.action = action
    }
}

/// A change with its place in the one total order.
package struct RecordedChange: Equatable, Sendable {
    package let revision: Int64
    /// From 1 within a revision.
    package let ordinal: Int
    package let change: Change
    package let at: Timestamp
}
