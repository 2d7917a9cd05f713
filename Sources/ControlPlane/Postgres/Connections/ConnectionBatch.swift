import Reactor

/// Statements that travel together and the one who waits for their answers.
///
/// Confined to the reactor of its connection.
final class ConnectionBatch {
    typealias Outcome = Result<[Rows], PostgresError>

    /// What losing the connection before the answer means.
    enum Effect { case lostWithConnection, unknown }

    enum Content {
        /// Extended protocol in one pipeline, ended by one sync: all or nothing.
        case statements([SQL], arePrepared: Bool)
        /// Simple protocol, outside of pipeline mode.
        case script(SQLScript)
    }

    /// What the answers, in order, are about.
    enum Expectation {
        case answer
        case preparation(text: String, name: String)
        /// An answer that nobody asked for, such as that of BEGIN.
        case discarded
    }

    /// Why the server was asked to stop.
    enum Stop { case deadline, cancellation }

    let id: UInt64
    let content: Content
    let effect: Effect
    let isCancellable: Bool
    let timeout: Duration
    let complete: (Outcome) -> Void
    var expectations: [Expectation] = []
    var answered = 0
    var rows: [Rows] = []
    var error: PostgresError?
    var stop: Stop?
    var timer = TimerToken.none
    /// Whether the statement whose turn it is was answered and only its end is awaited.
    var hasAnswer = false

    init(
        id: UInt64,
        content: Content,
        effect: Effect,
        isCancellable: Bool,
        timeout: Duration,
        complete: @escaping (Outcome) -> Void
    ) {
        self.id = id
        self.content = content
        self.effect = effect
        self.isCancellable = isCancellable
        self.timeout = timeout
        self.complete = complete
    }

    /// The error when the connection ends before the answer.
    var lossError: PostgresError {
        if let error { return error }
        return switch (effect, stop) {
        case (.unknown, _): .outcomeUnknown
        case (.lostWithConnection, .deadline): .timedOut(.answer)
        case (.lostWithConnection, .cancellation): .cancelled
        case (.lostWithConnection, nil): .connectionLost
        }
    }

    /// What a report of the server means for this batch.
    func meaning(of report: ServerError, isFatal: Bool) -> PostgresError {
        if isFatal, effect == .unknown { return .outcomeUnknown }
        if report.state == .queryCanceled {
            return stop == .cancellation ? .cancelled : .timedOut(.answer)
        }
        return .server(report)
    }
}

/// The named statements of one session, least recently used first out.
struct PreparedStatements {
    private let countMax: Int
    private var names: [String: (name: String, used: UInt64)] = [:]
    private var clock: UInt64 = 0

    init(countMax: Int) { self.countMax = countMax }

    var count: Int { names.count }

    /// The name of a statement that the server knows already.
    mutating func name(of text: String) -> String? {
        guard let known = names[text] else { return nil }
        clock += 1
        names[text] = (known.name, clock)
        return known.name
    }

    /// A name that was never used in this session; nil when the session holds too many.
    mutating func newName() -> String? {
        guard names.count < 2 * countMax else { return nil }
        clock += 1
        return "s\(clock)"
    }

    mutating func insert(text: String, name: String) {
        clock += 1
        names[text] = (name, clock)
    }

    /// Forgets everything, after the server said that a name or a plan is not valid any more.
    mutating func removeAll() { names = [:] }

    /// Forgets what is over the limit and returns the names to deallocate.
    mutating func evict() -> [String] {
        guard names.count > countMax else { return [] }
        let oldest = names.sorted { $0.value.used < $1.value.used }.prefix(names.count - countMax)
        for (text, _) in oldest { names[text] = nil }
        return oldest.map(\.value.name)
    }
}
