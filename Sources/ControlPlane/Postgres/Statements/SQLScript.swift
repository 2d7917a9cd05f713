/// Statements from a file of ours, run as they are, without parameters.
///
/// The one door for SQL that is not a literal at the place of its use: embedded migrations,
/// and what an administrator wrote for a target database. Never built from a request.
package struct SQLScript: Sendable {
    let text: String

    /// Takes the bytes of a file; nil when they are not UTF-8 or hold a NUL.
    package init?(fileBytes: [UInt8]) {
        guard !fileBytes.contains(0), let text = String(validating: fileBytes, as: UTF8.self)
        else { return nil }
        self.text = text
    }
}
