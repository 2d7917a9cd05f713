import Control
import Crypto
import Reactor
import Snapshot
import Wire

/// `turnpike-server trust`: signs trust documents where the trust keys are; needs neither a
/// database nor a server.
enum TrustCommand {
    static let help = """
        turnpike-server trust sign --proposal FILE --trust-key FILE … --out FILE
        turnpike-server trust replace-keys --current FILE --trust-key FILE … --new-trust-key FILE …
            --out FILE [--threshold N]

        Signs the next trust document, prints what it does otherwise, and needs nothing but the
        files: run it where the trust keys are kept.

        sign            what `turnpike rotate … > FILE` proposes
        replace-keys    the document of `turnpike trust show > FILE` with other trust keys; the old
                        ones and the new ones sign

        --trust-key FILE      a trust key (PEM, mode 0600); as often as the threshold asks
        --new-trust-key FILE  made when it does not exist; as often as there shall be keys
        --threshold N         how many of the new keys must sign from then on; 1 unless given
        --out FILE            the signed document, for `turnpike trust submit < FILE`
        --current-hash HEX    the hash of the document that holds, where none of the given keys has
                              signed it; a server could make up another
        """

    private static let fileByteCountMax = 4 << 20

    /// What stands on the command line.
    struct Options: Equatable {
        var file = ""
        var out = ""
        var trustKeys: [String] = []
        var newTrustKeys: [String] = []
        var threshold = 1
        var currentHash: SHA256Digest?

        init(_ arguments: [String], fileFlag: String) throws(StartFailure) {
            var rest = arguments[...]
            while let argument = rest.popFirst() {
                guard let value = rest.popFirst() else {
                    throw .usage("\(argument): has no value; `turnpike-server trust` explains it")
                }
                switch argument {
                case fileFlag: file = value
                case "--out": out = value
                case "--trust-key": trustKeys.append(value)
                case "--new-trust-key": newTrustKeys.append(value)
                case "--current-hash":
                    guard let hash = SHA256Digest(hex: value) else {
                        throw .usage("--current-hash: write 64 hexadecimal digits")
                    }
                    currentHash = hash
                case "--threshold":
                    guard let number = Int(value), (1...TrustDocument.entriesMax).contains(number)
                    else { throw .usage("--threshold: write a whole number from 1 on") }
                    threshold = number
                default:
                    throw .usage(
                        "there is no flag \(argument.prefix(64)); `turnpike-server trust` lists"
                            + " them"
                    )
                }
            }
            guard !file.isEmpty else { throw .usage("say what to sign: \(fileFlag) FILE") }
            guard !out.isEmpty else { throw .usage("say where to: --out FILE") }
            guard !trustKeys.isEmpty else { throw .usage("say with what: --trust-key FILE") }
        }
    }

    static func perform(_ arguments: [String]) throws(StartFailure) {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "sign":
            let options = try Options(rest, fileFlag: "--proposal")
            let own = try keys(options.trustKeys)
            let (current, next) = try read(options, knownBy: own)
            guard let next else {
                throw .work("\(options.file): holds no proposal; `turnpike rotate` writes one")
            }
            try sign(next, after: current, by: own, to: options.out)
        case "replace-keys":
            let options = try Options(rest, fileFlag: "--current")
            guard !options.newTrustKeys.isEmpty else {
                throw .usage("name the new keys: --new-trust-key FILE")
            }
            let old = try keys(options.trustKeys)
            let (current, _) = try read(options, knownBy: old)
            let new = try newKeys(options.newTrustKeys)
            let change = TrustChange.replaceTrustKeys(
                new.map(\.publicKey),
                threshold: options.threshold
            )
            let next: TrustDocument?
            do throws(TrustChangeError) {
                next = try current.document.applying([change], at: Console.now)
            } catch {
                throw .work(error.description)
            }
            guard let next else { throw .work("these are the trust keys already") }
            try sign(next, after: current, by: old + new, to: options.out)
        case nil, "help", "--help", "-h": Console.say(help)
        case .some(let word):
            throw .usage("trust has no verb \(word.prefix(64)); `turnpike-server trust` lists them")
        }
    }

    private static func sign(
        _ next: TrustDocument,
        after current: TrustAnchor,
        by keys: [SigningKey],
        to path: String
    ) throws(StartFailure) {
        do {
            let envelope = try next.signed(by: keys)
            // Whoever gets it judges it by the same rule.
            let anchor = try current.succeeded(by: envelope)
            guard anchor.document.version > current.document.version else {
                throw StartFailure.work("the proposal changes nothing")
            }
            try FileSystem.replace(path, with: envelope.encoded, mode: 0o644)
        } catch TrustRefusal.notEnoughSignatures {
            throw .work(
                "these trust keys do not suffice: \(current.document.threshold) of the"
                    + " \(current.document.trustKeys.count) keys of version"
                    + " \(current.document.version) must sign, and \(next.threshold) of those of the"
                    + " next"
            )
        } catch let failure as StartFailure {
            throw failure
        } catch {
            throw .work("\(error)")
        }
        Console.say("signed: \(path)")
        for line in current.document.differences(to: next) { Console.say("  \(line)") }
        // Differences alone would hide what was slipped into the document before.
        Console.say("what holds from then on:")
        for authority in next.authorities {
            let name = SHA256.digest(of: authority.certificate)
            Console.say("  root \(name) \(authority.state.rawValue)")
        }
        for key in next.snapshotKeys { Console.say("  snapshot key \(key.key.keyID)") }
        for key in next.trustKeys { Console.say("  trust key \(key.keyID)") }
        Console.say("  \(next.threshold) of \(next.trustKeys.count) trust keys must sign")
    }

    /// The document that holds and, if there is one, the proposal.
    ///
    /// Both come from a server, which is not believed: one of the given keys must have signed what
    /// holds, or its hash is given.
    private static func read(
        _ options: Options,
        knownBy keys: [SigningKey]
    ) throws(StartFailure) -> (current: TrustAnchor, next: TrustDocument?) {
        let path = options.file
        do {
            let bytes = try FileSystem.read(
                path,
                byteCountMax: fileByteCountMax,
                followsLinks: true
            )
            let file = try JSON.parse(bytes, source: path)
            guard let text = file["current"]?.text else {
                throw StartFailure.work("\(path): holds no trust document (`current`)")
            }
            let envelope = try Envelope(encoded: try Base64.decode(text))
            let document = try TrustDocument(encoded: envelope.payload)
            let current = try TrustAnchor.first(
                envelope,
                trustDomain: document.trustDomain,
                pinnedHash: options.currentHash
            )
            guard
                options.currentHash != nil
                    || !envelope.signers(among: keys.map(\.publicKey)).isEmpty
            else {
                throw StartFailure.work(
                    "\(path): none of the given trust keys has signed the document that is said to"
                        + " hold (\(current.hash)): compare its hash with a host's and give"
                        + " --current-hash"
                )
            }
            let next = try file["next"]?.text.map { text in
                try TrustDocument(encoded: try Base64.decode(text))
            }
            return (current, next)
        } catch let failure as StartFailure {
            throw failure
        } catch {
            throw .work("\(path): \(error)")
        }
    }

    private static func keys(_ paths: [String]) throws(StartFailure) -> [SigningKey] {
        var keys: [SigningKey] = []
        for path in paths {
            do throws(OfflineProblems) {
                keys.append(try OfflineKeys.key(path))
            } catch {
                throw .work(error.lines.joined(separator: "\n"))
            }
        }
        return keys
    }

    /// Keys that are there, or new ones; written before anything is signed with them.
    private static func newKeys(_ paths: [String]) throws(StartFailure) -> [SigningKey] {
        do {
            for path in paths where try FileSystem.status(path) == nil {
                let key = try SigningKey.generate(.ed25519)
                try FileSystem.create(path, with: Array(try key.pem().utf8))
            }
        } catch {
            throw .work("\(error)")
        }
        return try keys(paths)
    }
}
