import Testing

@testable import turnpike_server

@Suite struct DatabaseCommandTests {
    /// Whatever stands on a command line is read by everybody on the machine.
    @Test func aPasswordIsNotTakenFromTheCommandLine() {
        let secret = "hunter2"
        let refused = #expect(throws: StartFailure.self) {
            try DatabaseCommand.perform([
                "move", "--to", "postgresql://turnpike:\(secret)@db1/turnpike?sslmode=verify-full",
            ])
        }
        let text = refused.map { "\($0)" } ?? ""
        #expect(text.contains("TURNPIKE_DATABASE_MOVE_TO") && !text.contains(secret))
    }

    @Test func withoutATargetNothingBegins() {
        #expect(throws: StartFailure.self) { try DatabaseCommand.perform(["move"]) }
        #expect(throws: StartFailure.self) { try DatabaseCommand.perform(["move", "--to"]) }
    }
}
