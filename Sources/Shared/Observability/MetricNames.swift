/// Every metric of the house, declared once; the room that counts something declares it here.
///
/// Names are `turnpike_agent_…`, `turnpike_server_…`, or for both programs `turnpike_…`; each one is
/// explained in docs/metrics.md.
package enum MetricNames {
    /// Counted by the registry itself.
    package static let labelSetsOverflowed = MetricDefinition(
        "turnpike_metrics_label_sets_overflowed_total",
        .counter,
        help: "Look-ups of a metric whose label set was over the limit of that metric.",
        labels: ["metric"]
    )

    /// Rows that grant but whose MAC does not hold.
    package static let rowMACFailures = MetricDefinition(
        "turnpike_server_row_mac_failures_total",
        .counter,
        help: "Reads of a row that was inserted or altered behind the server's back.",
        labels: ["table"]
    )

    /// Calls without a valid credential, or without the right.
    package static let callRefusals = MetricDefinition(
        "turnpike_server_call_refusals_total",
        .counter,
        help: "Calls that were refused for who made them.",
        labels: ["reason"]
    )

    /// All of them; a test checks the names.
    package static let all: [MetricDefinition] = [
        labelSetsOverflowed, rowMACFailures, callRefusals,
    ]
}
