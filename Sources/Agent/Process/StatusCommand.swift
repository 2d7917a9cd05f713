import HTTP
import Reactor
import Transport
import Wire

/// `turnpike-agent status`: what the running agent says, for people.
enum StatusCommand {
    static func perform(_ arguments: [String]) throws(StartFailure) {
        var arguments = CommandArguments(arguments)
        let file = try arguments.takeValue("--config")
        let isJSON = arguments.takeFlag("--json")
        let (configuration, _) = try AgentConfiguration.read(
            file: file,
            arguments: arguments.rest,
            environment: ProcessEnvironment.variables
        )
        let body = try fetch(configuration.statusAddress)
        if isJSON {
            StandardStreams.print(String(decoding: body, as: UTF8.self))
            return
        }
        guard let document = try? JSON.parse(body, source: "status") else {
            throw .work("the agent's answer is no JSON")
        }
        for line in StatusText.lines(document) { StandardStreams.print(line) }
    }

    private static func fetch(_ address: SocketAddress) throws(StartFailure) -> [UInt8] {
        guard let authority = Authority("localhost") else { throw .work("no host name") }
        let control: Reactor
        do throws(SystemError) {
            control = try Reactor()
        } catch {
            throw .work("cannot start: \(error)")
        }
        let outcome: Result<HTTPClientResponse, HTTPClientError> = control.runUntilFinished {
            let client = HTTPClient(
                on: control,
                configuration: HTTPClientConfiguration(
                    addresses: [address],
                    authority: authority,
                    security: .none
                )
            )
            do throws(HTTPClientError) {
                let response = try await client.send(.get, "/status", timeout: .seconds(10))
                await client.close()
                return .success(response)
            } catch {
                await client.close()
                return .failure(error)
            }
        }
        switch outcome {
        case .failure(let error): throw .work("no agent answers at \(address): \(error)")
        case .success(let response):
            guard response.head.status.isSuccess else {
                throw .work("the agent answered \(response.head.status.code)")
            }
            return response.body
        }
    }
}

/// The status document as lines for people.
enum StatusText {
    static func lines(_ document: Document) -> [String] {
        var lines: [String] = []
        func add(_ title: String, _ key: String) {
            guard let value = document[key].map(text), !value.isEmpty else { return }
            lines.append(padded(title) + value)
        }
        add("agent", "agent")
        add("trust domain", "trust_domain")
        add("revision", "revision")
        add("snapshot until", "manifest_expires")
        if document["manifest_expired"]?.bool == true {
            lines.append(padded("") + "EXPIRED: no new connection to other hosts is made")
        }
        lines.append(
            padded("server") + (document["connected_server"]?.text ?? "none connected")
        )
        add("problem", "connection_problem")
        add("last contact", "last_contact")
        if let refusal = document["last_refusal"] {
            lines.append(
                padded("last refusal") + "\(refusal["at"].map(text) ?? "")"
                    + " \(refusal["reason"].map(text) ?? "")"
            )
        }
        add("what to do", "advice")
        add("mesh", "mesh_address")
        add("connections", "connections")
        for certificate in document["certificates"]?.items ?? [] {
            let seconds = certificate["budget_seconds"]?.integer ?? 0
            lines.append(
                padded("certificate") + "\(certificate["subject"].map(text) ?? ""): "
                    + "\(certificate["state"].map(text) ?? ""), "
                    + "\(DurationText.format(.seconds(seconds))) left"
            )
        }
        for finding in document["health"]?.items ?? [] {
            lines.append(
                padded("instance") + "\(finding["service"].map(text) ?? "") "
                    + "\(finding["instance"].map(text) ?? ""): "
                    + "\(finding["state"].map(text) ?? "")"
                    + " since \(finding["since"].map(text) ?? "")"
                    + (finding["problem"].map { ": \(text($0))" } ?? "")
            )
        }
        for upstream in document["upstreams"]?.items ?? [] {
            let uids = upstream["uids"].map { users in
                users.text ?? "uids " + (users.items ?? []).map(text).joined(separator: ",")
            }
            lines.append(
                padded("upstream") + "\(upstream["port"].map(text) ?? ""): "
                    + "\(upstream["source"].map(text) ?? "") to "
                    + "\(upstream["destination"].map(text) ?? ""), "
                    + (uids == "any" ? "ANY local user" : uids ?? "")
                    + (upstream["problem"].map { ": \(text($0))" } ?? "")
            )
        }
        if let evidence = document["evidence"] {
            lines.append(
                padded("evidence") + "\(evidence["spooled_batches"].map(text) ?? "0") batches, "
                    + "\(evidence["spooled_bytes"].map(text) ?? "0") bytes waiting"
            )
        }
        return lines
    }

    private static func padded(_ title: String) -> String {
        title + String(repeating: " ", count: max(1, 16 - title.count))
    }

    private static func text(_ value: Document) -> String {
        value.text ?? value.integer.map { String($0) } ?? value.bool.map { String($0) } ?? ""
    }
}
