import Mesh
import Testing

@Suite struct DecisionReasonTests {
    @Test(arguments: DecisionReason.allCases)
    func wireNamesAndSentences(reason: DecisionReason) {
        #expect(reason.rawValue.utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz_".utf8.contains($0) })
        #expect(reason.sentence.last == ".")
    }

    @Test func sentencesAreDistinct() {
        let sentences = Set(DecisionReason.allCases.map(\.sentence))
        #expect(sentences.count == DecisionReason.allCases.count)
    }
}
