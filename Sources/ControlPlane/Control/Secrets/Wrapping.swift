import Crypto
import Store
package import Wire

/// What the receiver of a wrapped answer gets, and what tells whether it was exchanged on the way.
package struct WrappedAnswer: Equatable, Sendable {
    /// The only copy of the token that opens it, once; empty in a look-up.
    package let token: String
    package let accessor: String
    package let lifetimeSeconds: Int64
    package let createdAt: Timestamp
    package let creationPath: String
    package let wrappedAccessor: String

    /// The block `wrap_info`.
    package var document: Document {
        .fields([
            "token": .string(token),
            "accessor": .string(accessor),
            "ttl": .number(lifetimeSeconds),
            "creation_time": .timestamp(createdAt),
            "creation_path": .string(creationPath),
            "wrapped_accessor": .string(wrappedAccessor),
        ])
    }
}

/// Answers in the place of which a token is given that opens them once.
package struct Wrapping: Sendable {
    package static let lifetimes: ClosedRange<Duration> = .seconds(1)...(.seconds(30 * 86_400))
    /// The longest answer, in bytes of JSON.
    package static let answerBytesMax = 1_048_576
    /// The most answers of one principal that wait to be opened.
    package static let waitingMax: Int64 = 1_000

    private static let label = "wrapping-token"
    private static let prefix = "tpw."
    private static let secretByteCount = 32
    private static let limits = DocumentLimits(bytes: .mebibytes(1), depth: 40, nodes: 200_000)

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Refuses where no more answers may wait: before something is made that would not be given.
    package func checkRoom(path: String, for caller: Caller) async throws(ControlError) {
        let owner = Self.owner(path, caller)
        let waiting = try await control.read { database in
            try await WrappedAnswerRepository.waitingCount(of: owner, in: database)
        }
        guard waiting < Self.waitingMax else { throw Self.tooMany }
    }

    /// Whose answers are counted together; those of logins, which nobody has asked for by a token yet,
    /// by their path: whoever fills one is let in there.
    private static func owner(_ path: String, _ caller: Caller) -> String {
        caller.accessor == nil ? path : caller.principal
    }

    private static let tooMany = ControlError.tooMany(
        Complaint("wrapping.too_many", "too many wrapped answers wait to be opened"),
        retryAfter: .seconds(60)
    )

    /// Seals an answer and gives what opens it.
    package func wrap(
        _ answer: Document,
        for lifetime: Duration,
        path: String,
        by caller: Caller
    ) async throws(ControlError) -> WrappedAnswer {
        let bytes = JSON.compact(answer)
        guard bytes.count <= Self.answerBytesMax else {
            throw .invalid(
                "wrapping.too_large",
                field: "",
                "an answer of more than \(Self.answerBytesMax) bytes cannot be wrapped"
            )
        }
        let made = try make(
            bytes,
            lifetimeSeconds: max(1, lifetime.components.seconds),
            path: path,
            wrappedAccessor: answer["auth"]?["accessor"]?.text ?? "",
            of: Self.owner(path, caller)
        )
        return try await control.act(
            caller,
            action: "wrapping.wrap",
            resource: "wrapping/\(made.id)"
        ) { act in
            let waiting = try await WrappedAnswerRepository.waitingCount(
                of: made.owner,
                in: act.database
            )
            guard waiting < Self.waitingMax else { throw Self.tooMany }
            act.describe(["path": .string(path), "ttl": .number(made.lifetimeSeconds)])
            return try await insert(made, act)
        }
    }

    /// Opens an answer; the second time, and whatever else is no token that waits, is refused.
    package func unwrap(
        _ token: String,
        by caller: Caller
    ) async throws(ControlError) -> Document {
        let opened = try await open(token, "wrapping.unwrap", caller) {
            (opened: Opened<Document>, _) in
            opened.answer
        }
        return opened.answer
    }

    /// Opens an answer and wraps it again for as long as before.
    package func rewrap(
        _ token: String,
        by caller: Caller
    ) async throws(ControlError) -> WrappedAnswer {
        let opened = try await open(token, "wrapping.rewrap", caller) {
            (opened: Opened<WrappedAnswer>, act) in
            let made = try make(
                JSON.compact(opened.answer),
                lifetimeSeconds: opened.row.lifetimeSeconds,
                path: opened.row.creationPath,
                wrappedAccessor: opened.row.wrappedAccessor,
                of: opened.row.createdBy
            )
            return try await insert(made, act)
        }
        guard let again = opened.value else { throw Self.invalid }
        return again
    }

    /// What a token that waits would open, without opening it.
    package func look(_ token: String, by caller: Caller) async throws(ControlError)
        -> WrappedAnswer
    {
        guard let hmacs = hmacs(of: token) else { throw count("malformed", caller) }
        let found = try await control.gated(caller) { () async throws(ControlError) in
            try await find(hmacs)
        }
        guard let found else { throw count("unknown", caller) }
        return Self.shown(found, token: "")
    }

    private func find(_ hmacs: [[UInt8]]) async throws(ControlError) -> WrappedAnswerRow? {
        try await control.write { database in
            let row = try await WrappedAnswerRepository.lock(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: database
            )
            let now = try await ServerRepository.time(in: database)
            return row.flatMap { $0.sealed != nil && $0.expiresAt > now ? $0 : nil }
        }
    }

    // MARK: Opening

    private struct Opened<Value: Sendable>: Sendable {
        let row: WrappedAnswerRow
        let answer: Document
        var value: Value?
    }

    private enum Outcome<Value: Sendable>: Sendable {
        case opened(Opened<Value>)
        case refused
    }

    private func open<Value: Sendable>(
        _ token: String,
        _ action: String,
        _ caller: Caller,
        _ more: (Opened<Value>, AuditedTransaction) async throws -> Value
    ) async throws(ControlError) -> Opened<Value> {
        guard let hmacs = hmacs(of: token) else { throw count("malformed", caller) }
        let outcome: Outcome<Value>
        do throws(ControlError) {
            outcome = try await control.gated(caller) { () async throws(ControlError) in
                try await attempt(hmacs, action, caller, more)
            }
        } catch {
            // Guesses are counted; only what happens to a token that exists has a record of its own.
            throw error == Self.unknown ? count("unknown", caller) : error
        }
        switch outcome {
        case .opened(let opened): return opened
        case .refused: throw Self.invalid
        }
    }

    private func attempt<Value: Sendable>(
        _ hmacs: [[UInt8]],
        _ action: String,
        _ caller: Caller,
        _ more: (Opened<Value>, AuditedTransaction) async throws -> Value
    ) async throws(ControlError) -> Outcome<Value> {
        try await control.act(caller, action: action, resource: "wrapping") { act in
            let found = try await WrappedAnswerRepository.lock(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let row = found else { throw Self.unknown }
            act.concern("wrapping/\(row.id)")
            act.describe(["path": .string(row.creationPath)])
            guard let sealed = row.sealed else {
                // Somebody else has read what this token was to open, or its holder asks twice; whoever
                // goes on asking is counted.
                guard control.loginRecords.mayRecord(caller.sourceAddress, now: control.now())
                else { throw Self.unknown }
                act.conclude(outcome: "refused", reason: "used_before")
                return .refused
            }
            guard row.expiresAt > act.at else {
                act.conclude(outcome: "refused", reason: "expired")
                return .refused
            }
            var opened = Opened<Value>(row: row, answer: try answer(in: sealed, of: row.id))
            try await WrappedAnswerRepository.empty(
                row,
                at: Tokens.whole(act.at),
                guardedBy: control.rowGuard,
                in: act.database
            )
            opened.value = try await more(opened, act)
            return .opened(opened)
        }
    }

    private func answer(in sealed: [UInt8], of id: UUIDv7) throws -> Document {
        let secret = try control.keyring.open(sealed, for: .kv, at: Self.place(id))
        let bytes = secret.withBytes { span in span.indices.map { span[$0] } }
        return try JSON.parse(bytes, source: "the wrapped answer", limits: Self.limits)
    }

    // MARK: Making

    private struct Made: Sendable {
        let id: UUIDv7
        let token: String
        let hmac: [UInt8]
        let sealed: [UInt8]
        let lifetimeSeconds: Int64
        let path: String
        let wrappedAccessor: String
        let owner: String
    }

    private func make(
        _ bytes: [UInt8],
        lifetimeSeconds: Int64,
        path: String,
        wrappedAccessor: String,
        of owner: String
    ) throws(ControlError) -> Made {
        let id = control.makeID()
        let secret = control.surroundings.randomBytes(Self.secretByteCount)
        do throws(KeyError) {
            return Made(
                id: id,
                token: Self.prefix + Base64URL.encode(secret),
                hmac: control.keyring.hmacs(of: secret, label: Self.label).first ?? [],
                sealed: try control.keyring.seal(
                    SecretBytes(copying: bytes),
                    for: .kv,
                    at: Self.place(id),
                    randomBytes: control.surroundings.randomBytes
                ),
                lifetimeSeconds: lifetimeSeconds,
                path: path,
                wrappedAccessor: wrappedAccessor,
                owner: owner
            )
        } catch {
            throw .faulted(Complaint("wrapping.seal", "the answer could not be sealed"))
        }
    }

    private func insert(_ made: Made, _ act: AuditedTransaction) async throws -> WrappedAnswer {
        let row = WrappedAnswerRow(
            id: made.id,
            tokenHMAC: made.hmac,
            sealed: made.sealed,
            creationPath: made.path,
            wrappedAccessor: made.wrappedAccessor,
            lifetimeSeconds: made.lifetimeSeconds,
            createdBy: made.owner,
            createdAt: Tokens.whole(act.at),
            expiresAt: Tokens.whole(act.at + .seconds(made.lifetimeSeconds))
        )
        try await WrappedAnswerRepository.insert(
            row,
            guardedBy: control.rowGuard,
            in: act.database
        )
        return Self.shown(row, token: made.token)
    }

    private static func shown(_ row: WrappedAnswerRow, token: String) -> WrappedAnswer {
        WrappedAnswer(
            token: token,
            accessor: row.id.description,
            lifetimeSeconds: row.lifetimeSeconds,
            createdAt: row.createdAt,
            creationPath: row.creationPath,
            wrappedAccessor: row.wrappedAccessor
        )
    }

    private static func place(_ id: UUIDv7) -> SealedPlace {
        SealedPlace(table: "wrapped_answers", column: "sealed", key: id.description)
    }

    private func hmacs(of token: String) -> [[UInt8]]? {
        guard token.utf8.count == Self.prefix.utf8.count + 43, token.hasPrefix(Self.prefix),
            let secret = try? Base64URL.decode(String(token.dropFirst(Self.prefix.count))),
            secret.count == Self.secretByteCount
        else { return nil }
        return control.keyring.hmacs(of: secret, label: Self.label)
    }

    private func count(_ reason: String, _ caller: Caller) -> ControlError {
        control.refusals.count(
            source: caller.sourceAddress,
            reason: "wrapping_\(reason)",
            now: control.now()
        )
        return Self.invalid
    }

    private static let unknown = ControlError.invalid("wrapping.unknown", field: "", "")

    /// One sentence for what is malformed, unknown, expired and used.
    private static let invalid = ControlError.invalid(
        "wrapping.invalid",
        field: "",
        "wrapping token is not valid or does not exist"
    )
}

extension ControlPlane {
    /// Answers that are opened once.
    package var wrapping: Wrapping { Wrapping(self) }
}
