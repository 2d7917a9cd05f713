/// What a lease's profile lets statements do, beyond what the target's privileges say.
///
/// The privileges of the leased role are the boundary. These rules keep the session what the lease
/// made it, and close the ways that lead past SQL; what a function or a `DO` block does cannot be seen.
package struct StatementRules: Equatable, Sendable {
    /// Settings that change who acts: no profile leaves them open.
    private static let identities: Set<String> = ["role", "session_authorization"]
    /// Other names under which a server knows the same setting.
    private static let aliases: [String: String] = [
        "default_transaction_read_only": "transaction_read_only",
        "default_transaction_isolation": "transaction_isolation",
        "default_transaction_deferrable": "transaction_deferrable",
        "work_mem": "sort_mem", "maintenance_work_mem": "vacuum_mem",
    ]

    /// Whether what is no statement that the agent knows is refused.
    package let isStrict: Bool
    /// Whether sessions may listen to notifications.
    package let mayListen: Bool
    /// Names of settings, in lower case, that a session may not change.
    package let guarded: Set<String>

    /// Rules of a profile that fixes these settings.
    package init(isStrict: Bool = false, mayListen: Bool = false, settings: [String] = []) {
        self.isStrict = isStrict
        self.mayListen = mayListen
        let names = settings.map(\.asciiLowercased)
        guarded = Self.identities.union(names).union(names.compactMap { Self.aliases[$0] })
    }
}

/// Why a statement is not passed on.
package enum StatementRefusal: String, Equatable, Sendable, CaseIterable {
    /// The fast path to functions, past SQL.
    case functionCall = "function_call"
    /// `COPY` from or to a file or a program of the server.
    case copyOnServer = "copy_on_server"
    /// Another role than the leased one, or a change to a role itself.
    case roleChange = "role_change"
    /// A setting that the profile fixes.
    case guardedSetting = "guarded_setting"
    /// A setting whose name cannot be told from the statement.
    case unreadableSetting = "unreadable_setting"
    /// `ALTER SYSTEM`.
    case systemChange = "system_change"
    /// `CREATE EXTENSION`, or a change to one.
    case extensionChange = "extension_change"
    /// Large objects from or to files of the server.
    case largeObjectFile = "large_object_file"
    /// `LISTEN` where the profile does not declare it.
    case listening
    /// An encoding in which a character may hide a quote.
    case encoding
    /// No SQL: a string or a comment without an end.
    case unreadable
    /// No statement that the agent knows, in a strict profile.
    case unknownStatement = "unknown_statement"

    /// The code of the error that the program gets.
    package var sqlState: String {
        switch self {
        case .unreadable, .unknownStatement: "42601"
        default: "42501"
        }
    }

    /// What is wrong and, where there is such a way, what would be right.
    package var message: String {
        switch self {
        case .functionCall: "function calls of the fast path are refused: call it by a statement"
        case .copyOnServer: "the server's files and programs are out of reach: use STDIN and STDOUT"
        case .roleChange: "the session stays the leased role, which nobody may change"
        case .guardedSetting: "the setting is fixed by the lease's profile"
        case .unreadableSetting: "the name of the setting must be written out plainly"
        case .systemChange: "the server's configuration cannot be changed through a lease"
        case .extensionChange: "extensions cannot be changed through a lease"
        case .largeObjectFile: "large objects cannot be read from or written to the server's files"
        case .listening: "the lease's profile does not declare that it listens"
        case .encoding: "statements must come in UTF8, SQL_ASCII, LATIN1, LATIN9 or WIN1252"
        case .unreadable: "the statement has a string, name or comment without an end"
        case .unknownStatement: "the statement is none that a strict profile knows"
        }
    }
}

/// What kind of work a statement does.
package enum StatementClass: String, Equatable, Sendable, CaseIterable {
    case select
    case insert
    case update
    case delete
    case merge
    case copyIn = "copy_in"
    case copyOut = "copy_out"
    case definition
    case privilege
    case transaction
    case session
    case cursor
    case prepared
    case routine
    case explain
    case notification
    case maintenance
    case lock
    /// Nothing but blanks and comments.
    case empty
    case unknown

    /// The class of statements that begin with this word, in lower case.
    static func ofVerb(_ verb: String) -> StatementClass? { verbs[verb] }

    private static let verbs: [String: StatementClass] = [
        "select": .select, "values": .select, "table": .select, "insert": .insert,
        "update": .update, "delete": .delete, "merge": .merge, "create": .definition,
        "alter": .definition, "drop": .definition, "truncate": .definition,
        "comment": .definition, "security": .definition, "reassign": .definition,
        "import": .definition, "grant": .privilege, "revoke": .privilege,
        "begin": .transaction, "start": .transaction, "commit": .transaction,
        "end": .transaction, "rollback": .transaction, "abort": .transaction,
        "savepoint": .transaction, "release": .transaction, "set": .session,
        "reset": .session, "show": .session, "discard": .session, "declare": .cursor,
        "fetch": .cursor, "move": .cursor, "close": .cursor, "prepare": .prepared,
        "execute": .prepared, "deallocate": .prepared, "do": .routine, "call": .routine,
        "explain": .explain, "listen": .notification, "notify": .notification,
        "unlisten": .notification, "vacuum": .maintenance, "analyze": .maintenance,
        "analyse": .maintenance, "cluster": .maintenance, "reindex": .maintenance,
        "checkpoint": .maintenance, "refresh": .maintenance, "load": .maintenance,
        "lock": .lock,
    ]
}
