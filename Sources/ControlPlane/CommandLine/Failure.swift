/// What the process answers its caller; part of the interface, so numbers never change.
enum ExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    case difference = 1
    case usage = 2
    case notFound = 3
    case refused = 4
    case conflict = 5
    case unreachable = 6
    case waitTimedOut = 7

    /// When it is answered.
    var meaning: String {
        switch self {
        case .success: "done; for `explain`: allowed; for `diff`: no difference"
        case .difference:
            "`diff` found differences, `explain` a denial, `intention test` an unmet expectation"
        case .usage: "the command, a file or a setting is wrong; nothing was done"
        case .notFound: "it does not exist"
        case .refused: "the token is missing, unknown or lacks the right"
        case .conflict: "it exists already, or something forbids the change"
        case .unreachable: "the server cannot be reached, or failed"
        case .waitTimedOut: "done, but not every agent enforced it in time (`--wait enforced`)"
        }
    }
}

/// Why a command did not do what was asked, for people.
struct Failure: Error, Equatable, Sendable {
    let code: ExitCode
    let problems: [String]
    /// What to do now.
    let hint: String?

    init(_ code: ExitCode, _ problems: [String], hint: String? = nil) {
        self.code = code
        self.problems = problems
        self.hint = hint
    }

    init(_ code: ExitCode, _ problem: String, hint: String? = nil) {
        self.init(code, [problem], hint: hint)
    }

    static func usage(_ problem: String, hint: String? = nil) -> Failure {
        Failure(.usage, problem, hint: hint)
    }

    /// The lines for standard error.
    var text: String {
        var lines = problems.map { "turnpike: \(Terminal.line($0))" }
        if let hint { lines.append("  \(Terminal.line(hint))") }
        return lines.map { $0 + "\n" }.joined()
    }
}
