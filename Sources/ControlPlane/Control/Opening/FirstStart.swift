package import Store

/// What the first start of a cluster does beside the rows of this room.
package struct FirstStart: Sendable {
    /// A step that runs once per cluster, in the transaction of the first start.
    ///
    /// It may run again when the database asks for that, so it must have no effect outside of the
    /// transaction that cannot be repeated.
    package typealias Step = @Sendable (ControlPlane, ChangeTransaction) async throws -> Void

    /// In this order; a step that throws undoes the whole start.
    package var steps: [Step]
    /// Replaces the file, readable by its owner alone, that holds the bootstrap token.
    package var writeBootstrapToken: @Sendable (String) throws -> Void

    package init(
        steps: [Step] = [],
        writeBootstrapToken: @escaping @Sendable (String) throws -> Void
    ) {
        self.steps = steps
        self.writeBootstrapToken = writeBootstrapToken
    }
}
