import Foundation
import Reactor
import Wire

@main
enum Program {
    static func main() {
        let arguments = Array(ProcessInfo.processInfo.arguments.dropFirst())
        let reactor: Reactor
        do {
            reactor = try Reactor()
        } catch {
            FileHandle.standardError.write(Data("turnpike: \(error)\n".utf8))
            exit(ExitCode.unreachable.rawValue)
        }
        let surroundings = Surroundings(
            environment: ProcessInfo.processInfo.environment,
            reactor: reactor,
            readInput: { FileHandle.standardInput.readDataToEndOfFile().map { $0 } },
            writeOutput: { FileHandle.standardOutput.write(Data($0.utf8)) },
            writeError: { FileHandle.standardError.write(Data($0.utf8)) },
            now: { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) }
        )
        let code = reactor.runUntilFinished {
            await CommandLineRun.run(arguments, in: surroundings)
        }
        exit(code.rawValue)
    }
}
