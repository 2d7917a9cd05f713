package import Postgres

/// Why a database cannot be brought, or is not, to the state that this program needs.
package enum MigrationError: Error, Equatable, Sendable {
    case database(PostgresError)
    /// The database was migrated by a newer program.
    case ahead(version: Int, name: String)
    /// A migration ran with another text than this program has.
    case changed(version: Int, name: String)
    /// Migrations before the last applied one are missing.
    case incomplete(version: Int)
    /// Migrations of this program were not applied yet.
    case behind(pending: [String])
    /// A migration failed and was rolled back.
    case failed(name: String, PostgresError)
    /// The file is not UTF-8 text.
    case unreadable(name: String)
    /// Another process holds the migration lock for too long.
    case locked
}

extension MigrationError: PostgresErrorCarrying {
    package init(_ error: PostgresError) { self = .database(error) }

    package var postgresError: PostgresError? {
        switch self {
        case .database(let error), .failed(_, let error): error
        case .ahead, .changed, .incomplete, .behind, .unreadable, .locked: nil
        }
    }
}

extension MigrationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .database(let error): "migration: \(error)"
        case .ahead(let version, let name):
            "the database has migration \(version) (\(name)), which this program does not know:"
                + " it was written by a newer version; run that one"
        case .changed(let version, let name):
            "migration \(version) (\(name)) was applied with another text than this program has;"
                + " run the program that applied it, and never change an applied file"
        case .incomplete(let version):
            "the database lacks migration \(version) but has later ones; restore it from a backup"
        case .behind(let pending):
            "the database lacks \(pending.joined(separator: ", "));"
                + " run turnpike-server migrate as its owner"
        case .failed(let name, let error): "migration \(name) was rolled back: \(error)"
        case .unreadable(let name): "migration \(name) is not UTF-8 text"
        case .locked: "another process has been migrating this database for too long"
        }
    }
}
