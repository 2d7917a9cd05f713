import Foundation
import Mesh
import Observability
import Reactor
import Synchronization
import Wire

/// `turnpike-server serve`: one replica until it is told to end.
enum ServeCommand {
    /// What stands on the command line beside the settings.
    struct Options {
        var configFile: String?
        var checksConfig = false
        var printsConfig = false
        var printsListeners = false
        var settings: [String] = []

        init(_ arguments: [String]) throws(StartFailure) {
            var rest = arguments[...]
            while let argument = rest.popFirst() {
                switch argument {
                case "--check-config": checksConfig = true
                case "--print-config": printsConfig = true
                case "--print-listeners": printsListeners = true
                case "--config":
                    guard let file = rest.popFirst() else {
                        throw .usage("--config: the flag has no value; write --config FILE")
                    }
                    configFile = file
                default: settings.append(argument)
                }
            }
        }

        func resolve() throws(StartFailure) -> ResolvedSettings {
            var document: Document?
            if let configFile {
                do throws(FileError) {
                    let bytes = try FileSystem.read(
                        configFile,
                        byteCountMax: 1 << 20,
                        followsLinks: true
                    )
                    document = try parse(bytes, configFile)
                } catch {
                    throw .usage("\(error)")
                }
            }
            do throws(SettingsError) {
                return try ServerSettings.table.resolve(
                    file: document,
                    fileName: configFile ?? "",
                    arguments: settings,
                    environment: ProcessInfo.processInfo.environment
                )
            } catch {
                throw .usage(error.description)
            }
        }

        private func parse(_ bytes: [UInt8], _ file: String) throws(FileError) -> Document? {
            do throws(DocumentError) {
                return try YAML.parseSingle(bytes, source: file)
            } catch {
                Console.complain(error.description)
                exit(2)
            }
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        let options = try Options(arguments)
        let settings = try options.resolve()
        let configuration: ServerConfiguration
        do throws(SettingsError) {
            configuration = try ServerConfiguration(settings)
        } catch {
            throw .usage(error.description)
        }
        if options.printsConfig {
            Console.say(settings.printed(without: ServerSettings.secret))
        }
        if options.checksConfig {
            Console.say("the configuration is good")
            return
        }
        if options.printsConfig { return }
        let logger = Console.logger(configuration.logFormat, configuration.logLevel)
        try ServerProcess.run(logger) { stop, reactor throws(StartFailure) in
            let replica = try await Replica.start(configuration, logger: logger, on: reactor)
            if options.printsListeners {
                Console.say("listening api \(replica.apiAddress)")
                Console.say("listening agents \(replica.agentAddress)")
            }
            if SecretFiles(configuration: configuration).isKeyBesideData {
                logger.warning(
                    "keys.kek_file lies on the volume of data_directory: keep it on another one",
                    ["file": .text(configuration.kekFile)]
                )
            }
            replica.announce()
            await stop.wait()
            await replica.stop()
        }
    }
}
