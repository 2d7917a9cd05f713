/// A file that may break one rule, and why; the list is meant to shrink.
struct Excuse: Sendable {
    enum Rule: Sendable {
        case fileLength, functionLength, mirror
    }

    var rule: Rule
    var path: String
    var reason: String

    static let all: [Excuse] = []

    /// The findings that no excuse covers, and one for each excuse that covers nothing any more.
    static func apply(_ rule: Rule, to findings: [Finding], from excuses: [Excuse]) -> [Finding] {
        let excuses = excuses.filter { $0.rule == rule }
        let excused = Set(excuses.map(\.path))
        let broken = Set(findings.map(\.path))
        let stale = excuses.filter { !broken.contains($0.path) }.map {
            Finding(
                path: $0.path,
                line: 1,
                advice: "no longer needs its excuse: delete the entry in Excuses.swift"
            )
        }
        return findings.filter { !excused.contains($0.path) } + stale
    }
}
