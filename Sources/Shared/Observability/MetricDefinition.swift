/// A metric as it is declared: name, kind, help and the names of its labels.
package struct MetricDefinition: Sendable, Equatable {
    /// What a metric measures.
    package enum Kind: Sendable, Equatable {
        /// Only grows.
        case counter
        /// Goes up and down.
        case gauge
        /// Distribution over fixed buckets, given by their inclusive upper bounds, ascending.
        case histogram(buckets: [Double])
    }

    /// Buckets in seconds for what happens on one host or in one data centre.
    package static let latencyBuckets = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0,
    ]

    /// `turnpike_<where>_<what>_<unit>`, ending in `_total` for counters.
    package let name: String
    package let kind: Kind
    /// One sentence.
    package let help: String
    /// Label names, in the order in which values are given.
    package let labels: [String]
    /// How many different label sets are kept; further ones are counted under `overflow`.
    package let labelSetsMax: Int

    package init(
        _ name: String,
        _ kind: Kind,
        help: String,
        labels: [String] = [],
        labelSetsMax: Int = 1000
    ) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.labelSetsMax = labelSetsMax
    }
}
