import Mesh
import Reactor
import Wire

// Where egress agents reach services that no agent hosts.
extension CatalogCommands {
    static let external = CatalogNoun(
        word: "external",
        phrase: "where an agent reaches a service outside of the mesh",
        collection: "externals",
        template: "{namespace}/{service}/{agent}",
        identity: [serviceOperand, agentOperand],
        content: [
            Command.Operand(
                name: "TARGET",
                summary: "`host:port` of the outside; an IPv6 address stands in brackets"
            )
        ],
        contentOptions: [
            Command.Option(
                name: "--ca",
                value: "FILE",
                summary: "PEM certificates of the CAs that may vouch for it"
            ),
            Command.Option(
                name: "--server-name",
                value: "NAME",
                summary: "what its certificate must name; the host unless given"
            ),
            Command.Option(
                name: "--negotiation",
                value: "direct|postgresql",
                summary: "whether TLS begins with the first byte, or after PostgreSQL's SSLRequest",
                choices: ExternalTarget.Negotiation.allCases.map(\.rawValue)
            ),
            Command.Option(
                name: "--no-tls",
                value: nil,
                summary: "plain TCP: nothing is verified outside of the mesh"
            ),
            Command.Option(
                name: "--allow-local",
                value: nil,
                summary: "let it be on the agent's own host or link; needs sudo on the path"
            ),
        ],
        filters: [serviceFilter, agentFilter],
        columns: [
            Column("SERVICE", "service"), Column("AGENT", "agent"),
            Column("TARGET") { "\($0.shown("host")):\($0.shown("port"))" },
            Column("TLS") { $0["tls"]?.shown("mode") ?? "" },
            Column("SERVER NAME") { $0["tls"]?.shown("server_name") ?? "" },
            Column("REVISION", "revision"),
        ],
        path: { invocation throws(Failure) in
            let placement = try placed(invocation)
            let service = placement.service
            return APIPath(
                "externals",
                service.namespace.text,
                service.name.text,
                placement.agent.text
            )
        },
        resource: { invocation throws(Failure) in .external(try target(invocation)) }
    )

    private static func target(_ invocation: Invocation) throws(Failure) -> ExternalTarget {
        let placement = try placed(invocation)
        let (host, port) = try hostAndPort(try invocation.operand("TARGET"))
        let target = ExternalTarget(
            service: placement.service,
            agent: placement.agent,
            host: host,
            port: port,
            security: try security(invocation, host),
            negotiation: invocation.option("--negotiation")
                .flatMap(ExternalTarget.Negotiation.init(rawValue:)) ?? .direct,
            allowsLocal: invocation.has("--allow-local")
        )
        try Failure.checking { () throws(InvalidField) in try target.validate() }
        return target
    }

    private static func hostAndPort(
        _ text: String
    ) throws(Failure) -> (host: OutsideHost, port: UInt16) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { throw .usage("TARGET has no port", hint: "write it like db.example.com:5432") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .usage(
                "TARGET is ambiguous",
                hint: "write an IPv6 address like [2001:db8::1]:443"
            )
        }
        let name = String(host)
        return (
            try Invocation.value(name, of: "TARGET") { text throws(NameError) in
                try OutsideHost(text)
            }, port
        )
    }

    private static func security(
        _ invocation: Invocation,
        _ host: OutsideHost
    ) throws(Failure) -> ExternalTarget.Security {
        let path = invocation.option("--ca")
        let serverName = try invocation.value("--server-name") { text throws(NameError) in
            try OutsideHost(text)
        }
        guard !invocation.has("--no-tls") else {
            guard path == nil, serverName == nil else {
                throw .usage("--no-tls verifies nothing", hint: "leave --ca and --server-name away")
            }
            return .plain
        }
        guard let path else {
            throw .usage(
                "--ca is missing",
                hint: "name the PEM file of the CAs that vouch for the host, or write --no-tls"
            )
        }
        return .verified(serverName: serverName ?? host, authorities: try authorities(path))
    }

    private static func authorities(_ path: String) throws(Failure) -> [[UInt8]] {
        do {
            let bytes = try FileSystem.read(
                path,
                byteCountMax: FieldValue.textBytesMax,
                followsLinks: true
            )
            let blocks = try PEM.decode(bytes)
            guard blocks.allSatisfy({ $0.label == "CERTIFICATE" }) else {
                throw Failure.usage("--ca: \(path) holds more than certificates")
            }
            return blocks.map(\.bytes)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("--ca: \(error)")
        }
    }
}
