import Observability
import Testing

@Suite struct MetricNamesTests {
    @Test func namesAreUnique() {
        let names = MetricNames.all.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test(arguments: MetricNames.all)
    func namesAreWellFormed(definition: MetricDefinition) {
        let name = definition.name
        #expect(name.hasPrefix("turnpike_"))
        #expect(isSnakeCase(name))
        #expect(definition.labels.allSatisfy(isSnakeCase))
        #expect(!definition.labels.contains("le"))
        #expect(Set(definition.labels).count == definition.labels.count)
        #expect(definition.help.hasSuffix(".") && !definition.help.contains("\n"))
        switch definition.kind {
        case .counter: #expect(name.hasSuffix("_total"))
        case .gauge: #expect(!name.hasSuffix("_total"))
        case .histogram(let buckets):
            #expect(name.hasSuffix("_seconds") || name.hasSuffix("_bytes"))
            #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 } && !buckets.isEmpty)
        }
    }

    private func isSnakeCase(_ name: String) -> Bool {
        guard let first = name.utf8.first, 0x61...0x7A ~= first else { return false }
        return !name.contains("__") && !name.hasSuffix("_")
            && name.utf8.allSatisfy { 0x61...0x7A ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x5F }
    }
}
