/// One thing that the command line can do; parsing, help, completion and the reference follow from
/// the table of these.
struct Command: Sendable {
    typealias Operation =
        @Sendable (Invocation, Session) async throws(Failure) -> ExitCode

    /// An argument by its place.
    struct Operand: Equatable, Sendable {
        let name: String
        let summary: String
        var isOptional = false
    }

    /// An argument by its name.
    struct Option: Equatable, Sendable {
        /// With its dashes.
        let name: String
        /// What stands for the value; nil for a flag.
        let value: String?
        let summary: String
        var isRepeatable = false
        var isRequired = false
        /// The values that can be, where they are few.
        var choices: [String] = []
    }

    /// Noun and verb, or one word.
    let words: [String]
    let summary: String
    var operands: [Operand] = []
    var options: [Option] = []
    /// What it asks of the API, such as `GET /v1/services`.
    var requests: [String] = []
    /// What help says beyond the summary.
    var notes: [String] = []
    let operation: Operation

    init(
        _ words: String,
        _ summary: String,
        operands: [Operand] = [],
        options: [Option] = [],
        requests: [String] = [],
        notes: [String] = [],
        operation: @escaping Operation
    ) {
        self.words = words.split(separator: " ").map(String.init)
        self.summary = summary
        self.operands = operands
        self.options = options
        self.requests = requests
        self.notes = notes
        self.operation = operation
    }

    var name: String { words.joined(separator: " ") }

    /// Options that the command takes, those of all commands included.
    var allOptions: [Option] { options + (requests.isEmpty ? [.help] : [.json, .help]) }

    /// The line after `usage:`.
    var usage: String {
        var parts = ["turnpike"] + words
        parts += operands.map { $0.isOptional ? "[\($0.name)]" : $0.name }
        for option in options {
            let text = option.value.map { "\(option.name) \($0)" } ?? option.name
            let repeated = option.isRepeatable ? "..." : ""
            parts.append(option.isRequired ? "\(text)\(repeated)" : "[\(text)]\(repeated)")
        }
        return parts.joined(separator: " ")
    }
}

extension Command.Option {
    static let help = Self(name: "--help", value: nil, summary: "explain this command")
    static let json = Self(
        name: "--json",
        value: nil,
        summary: "print the server's JSON instead of text"
    )
    static let wait = Self(
        name: "--wait",
        value: "enforced",
        summary: "answer once every live agent concerned enforces the change",
        choices: ["enforced"]
    )
    static let timeout = Self(
        name: "--timeout",
        value: "DURATION",
        summary: "the longest wait, up to 60s; 5s unless given"
    )
    static let limit = Self(name: "--limit", value: "N", summary: "print at most so many")
    static let description = Self(name: "--description", value: "TEXT", summary: "for people")

    /// What every change takes.
    static let writing = [wait, timeout]
}
