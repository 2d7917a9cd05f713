import Snapshot
import Testing

@Suite struct KeyQuorumTests {
    private struct Version {
        let keys: [Int]
        let threshold: Int
        let signers: Set<Int>

        init(_ keys: [Int], _ threshold: Int, by signers: Set<Int>) {
            self.keys = keys
            self.threshold = threshold
            self.signers = signers
        }
    }

    private func walk(_ versions: [Version]) -> [Bool] {
        var accepted: KeyQuorum<Int>?
        return versions.map { version in
            guard let quorum = KeyQuorum(keys: version.keys, threshold: version.threshold),
                quorum.admits(signedBy: version.signers, after: accepted)
            else { return false }
            accepted = quorum
            return true
        }
    }

    @Test func theFirstVersionIsJudgedOnItsOwn() {
        #expect(walk([Version([1, 2], 2, by: [1, 2])]) == [true])
        #expect(walk([Version([1, 2], 2, by: [1, 3])]) == [false])
        #expect(walk([Version([1, 2], 1, by: [])]) == [false])
    }

    @Test func aChangeNeedsTheOldAndTheNew() {
        let first = Version([1, 2, 3], 2, by: [1, 2])
        #expect(walk([first, Version([4, 5], 2, by: [1, 3, 4, 5])]) == [true, true])
        #expect(walk([first, Version([4, 5], 2, by: [4, 5])]) == [true, false])
        #expect(walk([first, Version([4, 5], 2, by: [1, 2])]) == [true, false])
        #expect(walk([first, Version([4, 5], 2, by: [1, 4, 5])]) == [true, false])
        #expect(walk([first, Version([2, 4], 2, by: [1, 2, 4])]) == [true, true])
    }

    @Test func aRefusedVersionChangesNothing() {
        let versions = [
            Version([1], 1, by: [1]), Version([2], 1, by: [2]), Version([2], 1, by: [1, 2]),
            Version([3], 1, by: [1, 3]), Version([3], 1, by: [2, 3]),
        ]
        #expect(walk(versions) == [true, false, true, false, true])
    }

    @Test func loweringAThresholdNeedsTheOldOne() {
        let first = Version([1, 2, 3], 3, by: [1, 2, 3])
        #expect(walk([first, Version([1, 2, 3], 1, by: [1])]) == [true, false])
        #expect(walk([first, Version([1, 2, 3], 1, by: [1, 2, 3])]) == [true, true])
    }

    @Test(arguments: [([1, 1], 2), ([1, 1], 1), ([1], 0), ([1], -1), ([1], 2), ([], 0), ([], 1)])
    func quorumsThatCannotExist(keys: [Int], threshold: Int) {
        #expect(KeyQuorum(keys: keys, threshold: threshold) == nil)
    }

    @Test func theNumberOfKeysIsBounded() {
        #expect(KeyQuorum(keys: Array(0..<64), threshold: 64) != nil)
        #expect(KeyQuorum(keys: Array(0..<65), threshold: 1) == nil)
    }
}
