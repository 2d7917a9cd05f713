import Control
import Foundation
import Mesh
import Observability
import Reactor
import Wire

/// `turnpike-server dev`: a control plane to try things out, up in seconds on free ports.
enum DevCommand {
    /// How long the token of a trial lives.
    private static let tokenLifetime: Duration = .seconds(30 * 86_400)

    static func perform(_ arguments: [String]) throws(StartFailure) {
        var rest = arguments[...]
        var directory: String?
        while let argument = rest.popFirst() {
            guard argument == "--data", let path = rest.popFirst() else {
                throw .usage("`turnpike-server dev [--data DIRECTORY]` takes nothing else")
            }
            directory =
                path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        }
        let isThrowaway = directory == nil
        let path = directory ?? "/var/tmp/turnpike-dev-\(ProcessLimits.processIdentity)"
        let configuration = try configuration(in: path)
        let logger = Console.logger(.text, .warning)
        Console.complain("turnpike-server dev: starting in \(path)")
        defer {
            if isThrowaway { try? FileSystem.removeTree(path) }
        }
        try ServerProcess.run(logger) { stop, reactor throws(StartFailure) in
            let replica = try await Replica.start(configuration, logger: logger, on: reactor)
            let token = try await administratorToken(replica.control)
            Console.say("export TURNPIKE_ADDR=https://\(replica.apiAddress)")
            Console.say("export TURNPIKE_TOKEN=\(token)")
            Console.say("export TURNPIKE_CACERT=\(replica.apiAuthorityFile ?? "")")
            Console.complain(
                "ready; agents connect to \(replica.agentAddress). Ctrl-C ends it"
                    + (isThrowaway ? " and removes \(path)" : "")
            )
            replica.announce()
            await stop.wait()
            await replica.stop()
        }
    }

    private static func configuration(
        in path: String
    ) throws(StartFailure) -> ServerConfiguration {
        do throws(SettingsError) {
            return try ServerConfiguration(
                ServerSettings.table.resolve(
                    file: nil,
                    fileName: "",
                    arguments: [
                        "--data-directory", path,
                        "--keys-kek-file", path + "/keys/kek",
                        "--keys-trust-key-file", path + "/keys/trust.key",
                        "--keys-bootstrap-token-file", path + "/keys/bootstrap-token",
                        "--api-listen", "127.0.0.1:0",
                        "--agents-listen", "127.0.0.1:0",
                        "--shutdown-drain", "1s",
                    ],
                    environment: [:]
                )
            )
        } catch {
            throw .usage(error.description)
        }
    }

    private static func administratorToken(
        _ control: ControlPlane
    ) async throws(StartFailure) -> String {
        let operatorOfThisMachine = Caller(
            principal: control.server.principal,
            displayName: "dev",
            policies: BuiltInPolicies.all
        )
        do throws(ControlError) {
            return try await control.tokens.create(
                TokenRequest(
                    displayName: "dev",
                    policies: [BuiltInPolicies.adminName],
                    lifetime: tokenLifetime
                ),
                by: operatorOfThisMachine
            ).text
        } catch {
            throw .work(error.description)
        }
    }
}
