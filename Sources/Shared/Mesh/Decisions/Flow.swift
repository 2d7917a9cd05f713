package import Wire

/// What went between a source and a destination under one rule within one minute.
package struct Flow: Hashable, Sendable {
    /// The beginning of the minute.
    package var minute: Timestamp
    /// Who asked.
    package var source: SPIFFEID
    /// Who was reached.
    package var destination: ServiceName
    /// The rule that allowed it.
    package var ruleID: RuleID?
    /// Connections that began in this minute.
    package var opened: UInt64
    /// Connections that ended in this minute.
    package var closed: UInt64
    /// Bytes from source to destination.
    package var bytesSent: UInt64
    /// Bytes from destination to source.
    package var bytesReceived: UInt64

    package init(
        minute: Timestamp,
        source: SPIFFEID,
        destination: ServiceName,
        ruleID: RuleID?,
        opened: UInt64 = 0,
        closed: UInt64 = 0,
        bytesSent: UInt64 = 0,
        bytesReceived: UInt64 = 0
    ) {
        self.minute = minute
        self.source = source
        self.destination = destination
        self.ruleID = ruleID
        self.opened = opened
        self.closed = closed
        self.bytesSent = bytesSent
        self.bytesReceived = bytesReceived
    }
}
