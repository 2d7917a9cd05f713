import Control
import Crypto
import Mesh
import Reactor
import Snapshot
import Wire

/// `turnpike-server snapshot sign`: data directories for agents that run without a control plane.
enum SnapshotCommand {
    static let help = """
        turnpike-server snapshot sign -f FILE --out DIRECTORY [--trust-domain NAME]
            [--keys DIRECTORY] [--root FILE] [--revision N]

        Writes a complete data directory for every agent of FILE, without a control plane and
        without a database, so that agents serve offline: for tests, benches and trials. Run
        each with `turnpike-agent run --data-directory DIRECTORY/AGENT`.

        FILE holds the resources that `turnpike apply` takes, and one more kind, `agent`:

            kind: agent
            name: host-a
            mesh_address: 127.0.0.2:7443   # where other agents reach it; needed to be reached

        -f FILE              the agents and resources
        --out DIRECTORY      made when missing; an agent's directory in it must not exist yet
        --trust-domain NAME  the trust domain; turnpike.internal unless given
        --keys DIRECTORY     where the keys of the mesh are kept, made when missing, so that
                             directories signed later belong to the same mesh; without it the
                             mesh is thrown away: nothing more can be signed for it
        --root FILE          a root (PEM) that agents trust beside the new one, for agents that
                             bring certificates of services: `leaves: [{"service": …,
                             "certificate_file": …, "key_file": …}]` in their document; once, at
                             the making of the keys
        --revision N         the revision that is signed; 1 unless given

        Nothing in a directory is renewed: a service's certificate ends with its `leaf_ttl`, 24h
        at most.
        """

    private static let fileByteCountMax = 4 << 20

    /// What stands on the command line.
    struct Options: Equatable {
        var file = ""
        var out = ""
        var trustDomain = "turnpike.internal"
        var keys: String?
        var rootFile: String?
        var revision: UInt64 = 1

        init(_ arguments: [String]) throws(StartFailure) {
            var rest = arguments[...]
            while let argument = rest.popFirst() {
                guard let value = rest.popFirst() else {
                    throw .usage(
                        "\(argument): has no value; `turnpike-server snapshot` explains it"
                    )
                }
                switch argument {
                case "-f": file = value
                case "--out": out = value
                case "--trust-domain": trustDomain = value
                case "--keys": keys = value
                case "--root": rootFile = value
                case "--revision":
                    guard let number = UInt64(value), (1...UInt64(1 << 53)).contains(number) else {
                        throw .usage("--revision: write a whole number from 1 on")
                    }
                    revision = number
                default:
                    throw .usage(
                        "there is no flag \(argument.prefix(64)); `turnpike-server snapshot` lists"
                            + " them"
                    )
                }
            }
            guard !file.isEmpty else { throw .usage("say what to sign: -f FILE") }
            guard !out.isEmpty else { throw .usage("say where to: --out DIRECTORY") }
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        guard let verb = arguments.first else {
            Console.say(help)
            return
        }
        guard verb == "sign" else {
            throw .usage("write `turnpike-server snapshot sign`, not \(verb.prefix(64))")
        }
        let options = try Options(Array(arguments.dropFirst()))
        let trustDomain: TrustDomain
        do throws(NameError) {
            trustDomain = try TrustDomain(options.trustDomain)
        } catch {
            throw .usage("--trust-domain: \(error); write a name such as example.internal")
        }
        let bytes = try read(options.file)
        do throws(OfflineProblems) {
            let file = try OfflineFile(bytes, source: options.file)
            let now = Console.now
            let mesh = OfflineMesh(
                try OfflineKeys(options.keys).authority(
                    of: trustDomain,
                    root: options.rootFile,
                    now: now
                ),
                revision: options.revision,
                now: now,
                randomBytes: Randomness.bytes
            )
            let directories = try mesh.directories(of: file, brought: try brought(by: file))
            try write(directories, to: options.out)
        } catch {
            throw .work(error.lines.joined(separator: "\n"))
        }
    }

    private static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        do throws(FileError) {
            return try FileSystem.read(path, byteCountMax: fileByteCountMax, followsLinks: true)
        } catch {
            throw .usage("\(error)")
        }
    }

    /// The certificates that agents bring; a relative path counts from the file that names it.
    private static func brought(
        by file: OfflineFile
    ) throws(OfflineProblems) -> [AgentName: [ServiceName: OfflineMesh.Leaf]] {
        var problems: [String] = []
        var brought: [AgentName: [ServiceName: OfflineMesh.Leaf]] = [:]
        let parent = FileSystem.parent(of: file.source)
        func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(parent)/\(path)" }
        for agent in file.agents {
            for leaf in agent.leaves {
                do throws(OfflineProblems) {
                    brought[agent.name, default: [:]][leaf.service] = OfflineMesh.Leaf(
                        chain: try OfflineKeys.certificates(absolute(leaf.certificateFile)),
                        key: try OfflineKeys.key(absolute(leaf.keyFile))
                    )
                } catch {
                    problems += error.lines.map { "\(file.source):\(leaf.position.line): \($0)" }
                }
            }
        }
        guard problems.isEmpty else { throw OfflineProblems(problems) }
        return brought
    }

    /// Makes every directory under another name first: what has its name is complete.
    private static func write(
        _ directories: [OfflineMesh.Directory],
        to out: String
    ) throws(OfflineProblems) {
        do throws(FileError) {
            try FileSystem.makeDirectory(out)
            for directory in directories {
                let path = "\(out)/\(directory.agent)"
                guard try FileSystem.status(path) == nil else {
                    throw FileError(path: path, reason: .alreadyExists)
                }
            }
            for directory in directories {
                let path = "\(out)/\(directory.agent)"
                let unfinished = "\(out)/.\(directory.agent).unfinished"
                if try FileSystem.status(unfinished) != nil {
                    try FileSystem.removeTree(unfinished)
                }
                for folder in [""] + directory.folders.map({ "/" + $0 }) {
                    try FileSystem.makeDirectory(unfinished + folder)
                }
                for file in directory.files {
                    try FileSystem.replace("\(unfinished)/\(file.name)", with: file.bytes)
                }
                try FileSystem.rename(unfinished, to: path)
                try FileSystem.syncDirectory(out)
                let services = directory.services.map(\.description).joined(separator: ", ")
                Console.say(
                    "\(path): \(services.isEmpty ? "no service" : services); holds until"
                        + " \(directory.expires.rfc3339)"
                )
            }
        } catch {
            throw OfflineProblems(["\(error)"])
        }
    }
}
