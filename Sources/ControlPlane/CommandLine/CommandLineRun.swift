/// One run of the command line, from arguments to exit code.
enum CommandLineRun {
    static func run(_ arguments: [String], in surroundings: Surroundings) async -> ExitCode {
        do throws(Failure) {
            switch try ArgumentParser(commands: CommandTable.all).parse(arguments) {
            case .help(let words):
                let text = try HelpText.text(words, commands: CommandTable.all)
                // Without any argument nobody asked for help: scripts must see that.
                let isAsked = !arguments.isEmpty
                (isAsked ? surroundings.writeOutput : surroundings.writeError)(text)
                return isAsked ? .success : .usage
            case .run(let command, let invocation):
                let session = Session(surroundings)
                do throws(Failure) {
                    let code = try await command.operation(invocation, session)
                    await session.close()
                    return code
                } catch {
                    await session.close()
                    throw error
                }
            }
        } catch {
            surroundings.writeError(error.text)
            return error.code
        }
    }
}
