import DataPlane
import Reactor
import Snapshot
import Wire

/// `turnpike-agent join`: makes this host an agent, or gives an agent a new certificate.
enum JoinCommand {
    static func perform(_ arguments: [String]) throws(StartFailure) {
        var arguments = CommandArguments(arguments)
        let file = try arguments.takeValue("--config")
        guard let tokenFile = try arguments.takeValue("--token-file") else {
            throw .usage("say where the token is: --token-file FILE, or - for standard input")
        }
        let (configuration, _) = try AgentConfiguration.read(
            file: file,
            arguments: arguments.rest,
            environment: ProcessEnvironment.variables
        )
        let token = try readToken(tokenFile)
        let folder = AgentFolder(configuration.dataDirectory)
        let control: Reactor
        let resolver: WorkerPool
        do throws(SystemError) {
            control = try Reactor()
            resolver = try WorkerPool(name: "resolver", threadCount: 1, queuedMax: 4)
        } catch {
            throw .work("cannot start: \(error)")
        }
        let enroller = Enroller(
            folder: folder,
            reactor: control,
            resolver: resolver,
            now: StandardStreams.now
        )
        let outcome: Result<AgentEnrolment, JoinError> = control.runUntilFinished {
            do throws(JoinError) {
                return .success(try await enroller.join(with: token))
            } catch {
                return .failure(error)
            }
        }
        resolver.stop()
        switch outcome {
        case .failure(let error): throw .work("\(error)")
        case .success(let enrolment):
            StandardStreams.print(
                "joined \(enrolment.trustDomain) as agent \(enrolment.agent); identity in"
                    + " \(folder.path)"
            )
        }
    }

    /// From a file that nobody else may read, or from standard input; never from an argument,
    /// which every user of the host could see.
    private static func readToken(_ file: String) throws(StartFailure) -> JoinToken {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes =
                file == "-"
                ? StandardStreams.readInput(byteCountMax: JoinToken.textMaxBytes)
                : try FileSystem.readSecret(file, byteCountMax: JoinToken.textMaxBytes)
        } catch {
            throw .work("\(error)")
        }
        do {
            return try JoinToken(Text.decode(bytes) ?? "")
        } catch {
            throw .work("\(file == "-" ? "standard input" : file): \(error)")
        }
    }
}
