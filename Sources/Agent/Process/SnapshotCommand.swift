import Crypto
import DataPlane
import Mesh
import Reactor
import Snapshot
import Wire

/// `turnpike-agent snapshot show|verify`: looks at snapshots without a server.
enum SnapshotCommand {
    static func perform(_ arguments: [String]) throws(StartFailure) {
        var arguments = CommandArguments(arguments)
        let trustFile = try arguments.takeValue("--trust")
        guard arguments.rest.count == 2, let verb = arguments.rest.first,
            let path = arguments.rest.last, verb == "show" || verb == "verify"
        else {
            throw .usage("write `snapshot show` or `snapshot verify`, then FILE or DIRECTORY")
        }
        let kind: FileSystem.Kind?
        do throws(FileError) {
            kind = try FileSystem.status(path)?.kind
        } catch {
            throw .work("\(error)")
        }
        guard let kind else { throw .work("\(path): does not exist") }
        switch (verb, kind) {
        case ("show", .directory): try show(manifestIn: AgentFolder(path))
        case ("show", _): try show(envelope: path)
        case (_, .directory): try verify(directory: AgentFolder(path))
        default: try verify(envelope: path, trustFile: trustFile)
        }
    }

    // MARK: Show

    private static func show(manifestIn folder: AgentFolder) throws(StartFailure) {
        try show(envelope: "\(folder.snapshotPath)/\(SnapshotFiles.manifestName)")
        let names: [String]
        do throws(FileError) {
            names = try FileSystem.list(folder.snapshotPath)
        } catch {
            throw .work("\(error)")
        }
        for name in names where name.hasPrefix("section-") {
            StandardStreams.print("# \(name)")
            try show(text: try read("\(folder.snapshotPath)/\(name)"), name)
        }
    }

    private static func show(envelope path: String) throws(StartFailure) {
        let bytes = try read(path)
        guard let envelope = try? Envelope(encoded: bytes) else {
            return try show(text: bytes, path)
        }
        StandardStreams.print("# \(envelope.payloadType), sha256 \(envelope.payloadHash)")
        for signature in envelope.signatures {
            StandardStreams.print("# signature of key \(signature.keyID), not verified here")
        }
        try show(text: envelope.payload, path)
    }

    private static func show(text bytes: [UInt8], _ name: String) throws(StartFailure) {
        do throws(DocumentError) {
            let document = try JSON.parse(bytes, source: name)
            StandardStreams.print(String(decoding: JSON.pretty(document), as: UTF8.self))
        } catch {
            throw .work("\(error)")
        }
    }

    // MARK: Verify

    private static func verify(directory folder: AgentFolder) throws(StartFailure) {
        let bytes = try read(folder.enrolmentPath)
        let enrolment: AgentEnrolment
        do throws(EnrolmentError) {
            enrolment = try AgentEnrolment(encoded: bytes, source: folder.enrolmentPath)
        } catch {
            throw .work("\(error)")
        }
        let (restored, faults) = SnapshotFolder(folder).restore(
            agent: enrolment.agent,
            trustDomain: enrolment.trustDomain,
            now: StandardStreams.now()
        )
        for fault in faults { StandardStreams.print("fault: \(fault)") }
        guard let trust = restored.trust else { throw .work("no usable trust document") }
        StandardStreams.print(
            "trust document: version \(trust.document.version), epoch \(trust.document.epoch),"
                + " sha256 \(trust.hash)"
        )
        guard let snapshot = restored.snapshot?.value else { throw .work("no usable snapshot") }
        describe(snapshot)
        guard faults.isEmpty else { throw .work("the directory is not in order") }
    }

    private static func verify(envelope path: String, trustFile: String?) throws(StartFailure) {
        guard let trustFile else {
            throw .usage("name the trust document: --trust FILE, such as the agent's trust.json")
        }
        do {
            let trustEnvelope = try Envelope(encoded: try read(trustFile))
            let document = try TrustDocument(encoded: trustEnvelope.payload)
            let trust = try TrustAnchor.first(
                trustEnvelope,
                trustDomain: document.trustDomain,
                pinnedHash: nil
            )
            let bytes = try read(path)
            let manifest = try Manifest(encoded: try Envelope(encoded: bytes).payload)
            let verifier = SnapshotVerifier(agent: manifest.agent, trust: trust, mark: nil)
            _ = try verifier.verify(bytes, origin: .received, now: StandardStreams.now())
            StandardStreams.print(
                "in order: agent \(manifest.agent), epoch \(manifest.epoch), revision"
                    + " \(manifest.revision), until \(manifest.expires)"
            )
        } catch let error as StartFailure {
            throw error
        } catch {
            throw .work("refused: \(error)")
        }
    }

    private static func describe(_ snapshot: ValidatedSnapshot) {
        let manifest = snapshot.manifest.manifest
        let isExpired = snapshot.expires <= StandardStreams.now()
        StandardStreams.print(
            "snapshot: agent \(manifest.agent), epoch \(manifest.epoch), revision"
                + " \(manifest.revision), until \(manifest.expires)"
                + (isExpired ? " (EXPIRED; still enforced, but makes no connections)" : "")
        )
        for hosted in snapshot.hostedByMeshName.values.sorted(by: { $0.service < $1.service }) {
            switch hosted.inbound {
            case .enforced(let policy, let spoken, _):
                let place =
                    hosted.external.map { "outside at \($0.host) port \($0.port)" }
                    ?? "\(hosted.instances.count) instances"
                StandardStreams.print(
                    "hosts \(hosted.service) (\(spoken.rawValue)), \(place),"
                        + " \(policy.rules.count) rules"
                )
            case .denied(let reason):
                StandardStreams.print("hosts \(hosted.service), DENIED: \(reason)")
            }
        }
        for (port, route) in snapshot.routesByPort.sorted(by: { $0.key < $1.key }) {
            StandardStreams.print(
                "upstream \(port): \(route.upstream.source) to \(route.upstream.destination),"
                    + " \(route.endpoints.count) endpoints"
            )
        }
    }

    private static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        do throws(FileError) {
            return try FileSystem.read(path, byteCountMax: 16 << 20)
        } catch {
            throw .work("\(error)")
        }
    }
}
