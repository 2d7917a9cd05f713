extension MetricRegistry {
    /// The media type of `prometheusText`.
    package static let prometheusContentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics in Prometheus' text format 0.0.4, in a stable order.
    package func prometheusText() -> String {
        var text = ""
        for family in sortedFamilies where !family.instruments.isEmpty {
            let definition = family.definition
            text += "# HELP \(definition.name) \(Self.escaped(definition.help, quotes: false))\n"
            text += "# TYPE \(definition.name) \(Self.typeName(definition.kind))\n"
            let instruments = family.instruments.sorted {
                $0.key.lexicographicallyPrecedes($1.key)
            }
            for (labels, instrument) in instruments {
                let pairs = zip(definition.labels, labels).map { name, value in
                    "\(name)=\"\(Self.escaped(value, quotes: true))\""
                }
                switch instrument {
                case .counter(let counter):
                    Self.append(definition.name, pairs, "\(counter.value)", to: &text)
                case .gauge(let gauge):
                    Self.append(definition.name, pairs, "\(gauge.value)", to: &text)
                case .histogram(let histogram):
                    Self.append(definition.name, pairs, histogram, to: &text)
                }
            }
        }
        return text
    }

    private static func append(
        _ name: String,
        _ pairs: [String],
        _ value: String,
        to text: inout String
    ) {
        let labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
        text += "\(name)\(labels) \(value)\n"
    }

    private static func append(
        _ name: String,
        _ pairs: [String],
        _ histogram: Histogram,
        to text: inout String
    ) {
        var cumulative: UInt64 = 0
        let bounds = histogram.bounds.map { "\($0)" } + ["+Inf"]
        for (bound, count) in zip(bounds, histogram.counts) {
            cumulative += count
            append(name + "_bucket", pairs + ["le=\"\(bound)\""], "\(cumulative)", to: &text)
        }
        append(name + "_sum", pairs, number(histogram.sum), to: &text)
        append(name + "_count", pairs, "\(cumulative)", to: &text)
    }

    private static func number(_ value: Double) -> String {
        value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : value.isNaN ? "NaN" : "\(value)"
    }

    private static func typeName(_ kind: MetricDefinition.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    /// Escapes backslash and line feed, and for label values the double quote.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
