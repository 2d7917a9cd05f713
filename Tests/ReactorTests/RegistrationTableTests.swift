import Testing

@testable import Reactor

struct RegistrationTableTests {
    @Test func tokenIsStaleAfterRemovalAndReuse() {
        var table = RegistrationTable()
        let first = table.insert(number: 5, tag: 1, handler: Recorder())
        #expect(table.handler(of: first)?.tag == 1)
        let number = table.remove(first)
        #expect(number == 5)
        let second = table.insert(number: 5, tag: 2, handler: Recorder())
        #expect(second.index == first.index && second != first)
        #expect(table.handler(of: first) == nil)
        #expect(table.handler(of: second)?.tag == 2)
        let again = table.remove(first)
        #expect(again == nil)
        #expect(table.count == 1)
    }

    /// Closed without a word, its number registered anew: the old one must not take the new one off.
    @Test func numberThatWasRegisteredAgainIsLeftAlone() {
        var table = RegistrationTable()
        let old = table.insert(number: 9, tag: 0, handler: Recorder())
        let new = table.insert(number: 9, tag: 0, handler: Recorder())
        let takenOff = table.remove(old)
        #expect(takenOff == nil)
        #expect(table.contains(new))
        let own = table.remove(new)
        #expect(own == 9)
    }

    @Test func revisitsAddUpToOneDelivery() {
        var table = RegistrationTable()
        let token = table.insert(number: 3, tag: 0, handler: Recorder())
        let isQueued = table.addRevisit(1, to: token)
        let isQueuedAgain = table.addRevisit(4, to: token)
        #expect(isQueued && !isQueuedAgain)
        let flags = table.takeRevisit(of: token)
        #expect(flags == 5)
        let none = table.takeRevisit(of: token)
        #expect(none == 0)
    }

    @Test(arguments: [DescriptorToken.none, .wake])
    func specialTokensNameNothing(_ token: DescriptorToken) {
        var table = RegistrationTable()
        _ = table.insert(number: 3, tag: 0, handler: Recorder())
        #expect(!table.contains(token))
        let removed = table.remove(token)
        #expect(removed == nil)
    }
}
