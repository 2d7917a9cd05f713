import Foundation
import Testing

@testable import Postgres

@Suite struct BlockingWorkTests {
    @Test func runsOnAThreadOfItsOwn() async {
        let caller = pthread_self()
        let worker = await BlockingWork.run { pthread_self() }
        #expect(pthread_equal(caller, worker) == 0)
    }
}
