import Observability
import Testing

@Suite struct MetricRegistryTests {
    private static let hits = MetricDefinition(
        "turnpike_test_hits_total",
        .counter,
        help: "Hits with a \\ and\na line feed.",
        labels: ["route", "status"],
        labelSetsMax: 3
    )
    private static let level = MetricDefinition("turnpike_test_level", .gauge, help: "Level.")
    private static let latency = MetricDefinition(
        "turnpike_test_latency_seconds",
        .histogram(buckets: [0.1, 1]),
        help: "Latency.",
        labels: ["route"]
    )

    @Test func expositionIsEscapedAndOrdered() {
        let registry = MetricRegistry()
        registry.counter(Self.hits, labels: ["/b", "200"]).increment(by: 2)
        registry.counter(Self.hits, labels: ["/a\"\\\n", "200"]).increment()
        registry.gauge(Self.level).set(-5)
        registry.gauge(Self.level).add(2)
        let latency = registry.histogram(Self.latency, labels: ["/"])
        latency.observe(0.1)
        latency.observe(.milliseconds(500))
        latency.observe(2)
        latency.observe(.nan)
        #expect(
            registry.prometheusText() == #"""
                # HELP turnpike_test_hits_total Hits with a \\ and\na line feed.
                # TYPE turnpike_test_hits_total counter
                turnpike_test_hits_total{route="/a\"\\\n",status="200"} 1
                turnpike_test_hits_total{route="/b",status="200"} 2
                # HELP turnpike_test_latency_seconds Latency.
                # TYPE turnpike_test_latency_seconds histogram
                turnpike_test_latency_seconds_bucket{route="/",le="0.1"} 1
                turnpike_test_latency_seconds_bucket{route="/",le="1.0"} 2
                turnpike_test_latency_seconds_bucket{route="/",le="+Inf"} 3
                turnpike_test_latency_seconds_sum{route="/"} 2.6
                turnpike_test_latency_seconds_count{route="/"} 3
                # HELP turnpike_test_level Level.
                # TYPE turnpike_test_level gauge
                turnpike_test_level -3

                """#
        )
    }

    @Test func labelSetsAreBounded() {
        let registry = MetricRegistry()
        for index in 0..<10 {
            registry.counter(Self.hits, labels: ["/\(index)", "200"]).increment()
        }
        #expect(registry.counter(Self.hits, labels: ["/0", "200"]).value == 1)
        #expect(registry.counter(Self.hits, labels: ["overflow", "overflow"]).value == 7)
        let overflowed = registry.counter(
            MetricNames.labelSetsOverflowed,
            labels: [Self.hits.name]
        )
        #expect(overflowed.value == 7)
        #expect(registry.prometheusText().split(separator: "\n").count < 12)
    }

    @Test func labelValuesAreCut() {
        let registry = MetricRegistry()
        registry.counter(Self.hits, labels: [String(repeating: "é", count: 500), ""]).increment()
        let line = registry.prometheusText().split(separator: "\n").last ?? ""
        #expect(line.filter { $0 == "é" }.count == MetricRegistry.labelBytesMax / 2)
    }

    @Test func removedMetricsAreGone() {
        let registry = MetricRegistry()
        registry.histogram(Self.latency, labels: ["/gone"]).observe(1)
        registry.remove(Self.latency, labels: ["/gone"])
        #expect(registry.prometheusText().isEmpty)
    }

    @Test func countsFromManyTasksAddUp() async {
        let registry = MetricRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        registry.counter(Self.hits, labels: ["/", "200"]).increment()
                        registry.histogram(Self.latency, labels: ["/"]).observe(1)
                    }
                }
            }
        }
        #expect(registry.counter(Self.hits, labels: ["/", "200"]).value == 8000)
        #expect(registry.histogram(Self.latency, labels: ["/"]).sum == 8000)
        #expect(registry.histogram(Self.latency, labels: ["/"]).counts == [0, 8000, 0])
    }

    @Test func countersNeverShrink() {
        let counter = Counter()
        counter.increment(by: -5)
        #expect(counter.value == 0)
    }
}
