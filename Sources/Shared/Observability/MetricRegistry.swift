import Synchronization

/// Holds the metrics of one process; look-ups take a lock, so callers keep what they looked up.
package final class MetricRegistry: Sendable {
    /// The most bytes of a label value; longer ones are cut.
    package static let labelBytesMax = 128
    /// The label value under which everything over the limit is counted.
    package static let overflowLabel = "overflow"

    enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    struct Family: Sendable {
        let definition: MetricDefinition
        var instruments: [[String]: Instrument] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// Without metrics.
    package init() {}

    /// The counter of a label set, made at its first use.
    ///
    /// `labels` are the values in the order of the definition; their number must match.
    package func counter(_ definition: MetricDefinition, labels: [String] = []) -> Counter {
        guard case .counter(let counter) = instrument(definition, labels) else {
            preconditionFailure("\(definition.name) is not declared as a counter")
        }
        return counter
    }

    /// The gauge of a label set, made at its first use.
    ///
    /// `labels` are the values in the order of the definition; their number must match.
    package func gauge(_ definition: MetricDefinition, labels: [String] = []) -> Gauge {
        guard case .gauge(let gauge) = instrument(definition, labels) else {
            preconditionFailure("\(definition.name) is not declared as a gauge")
        }
        return gauge
    }

    /// The histogram of a label set, made at its first use.
    ///
    /// `labels` are the values in the order of the definition; their number must match.
    package func histogram(_ definition: MetricDefinition, labels: [String] = []) -> Histogram {
        guard case .histogram(let histogram) = instrument(definition, labels) else {
            preconditionFailure("\(definition.name) is not declared as a histogram")
        }
        return histogram
    }

    /// Forgets the metric of a label set whose subject is gone, such as a removed service.
    package func remove(_ definition: MetricDefinition, labels: [String]) {
        families.withLock { families in
            _ = families[definition.name]?.instruments.removeValue(forKey: labels.map(Self.cut))
        }
    }

    /// The families in the order of their names.
    var sortedFamilies: [Family] {
        families.withLock { Array($0.values) }.sorted { $0.definition.name < $1.definition.name }
    }

    private func instrument(_ definition: MetricDefinition, _ labels: [String]) -> Instrument {
        precondition(
            labels.count == definition.labels.count,
            "\(definition.name) has other labels"
        )
        let labels = labels.map(Self.cut)
        let (instrument, isOverflow) = families.withLock { families in
            var family = families[definition.name] ?? Family(definition: definition)
            precondition(family.definition == definition, "\(definition.name) is declared twice")
            if let known = family.instruments[labels] { return (known, false) }
            let isOverflow = family.instruments.count >= definition.labelSetsMax
            let key = isOverflow ? labels.map { _ in Self.overflowLabel } : labels
            let instrument = family.instruments[key] ?? Self.make(definition.kind)
            family.instruments[key] = instrument
            families[definition.name] = family
            return (instrument, isOverflow)
        }
        // The definition's own limit is the number of metrics, so this cannot recurse further.
        if isOverflow, definition != MetricNames.labelSetsOverflowed {
            counter(MetricNames.labelSetsOverflowed, labels: [definition.name]).increment()
        }
        return instrument
    }

    private static func make(_ kind: MetricDefinition.Kind) -> Instrument {
        switch kind {
        case .counter: .counter(Counter())
        case .gauge: .gauge(Gauge())
        case .histogram(let buckets): .histogram(Histogram(bounds: buckets))
        }
    }

    private static func cut(_ label: String) -> String {
        guard label.utf8.count > labelBytesMax else { return label }
        var text = ""
        for scalar in label.unicodeScalars {
            guard text.utf8.count + UTF8.width(scalar) <= labelBytesMax else { break }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
