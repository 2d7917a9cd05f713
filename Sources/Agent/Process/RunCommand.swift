import Crypto
import DataPlane
import Observability
import Reactor
import TLS
import Wire

/// `turnpike-agent run`: the daemon itself.
enum RunCommand {
    static func perform(_ arguments: [String]) throws(StartFailure) {
        var arguments = CommandArguments(arguments)
        let file = try arguments.takeValue("--config")
        let checksOnly = arguments.takeFlag("--check-config")
        let printsConfiguration = arguments.takeFlag("--print-config")
        let takesOver = arguments.takeFlag("--take-over")
        let printsListeners = arguments.takeFlag("--print-listeners")
        let environment = ProcessEnvironment.variables
        let (configuration, settings) = try AgentConfiguration.read(
            file: file,
            arguments: arguments.rest,
            environment: environment
        )
        if printsConfiguration { StandardStreams.print(settings.printed()) }
        if checksOnly {
            StandardStreams.print("the configuration is in order")
            return
        }
        if printsConfiguration { return }
        let logger = StandardStreams.logger(
            format: configuration.logFormat,
            level: configuration.logLevel
        )
        let daemon = try AgentProcess(
            configuration: configuration,
            logger: logger,
            notifyAddress: environment["NOTIFY_SOCKET"],
            printsListeners: printsListeners,
            takesOver: takesOver
        )
        try daemon.run()
    }
}
