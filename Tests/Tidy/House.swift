/// The plan of the house as a table: who may import whom, and which words belong to which room.
///
/// A change of the plan is a change of this file, made on purpose and seen in review.
enum House {
    static let floors = ["Shared", "ControlPlane", "Agent"]

    /// Rooms that speak to C; the only ones where a pointer may be touched.
    static let fences: Set<String> = ["Reactor", "Crypto", "TLS", "Postgres"]

    static let executables: Set<String> = ["Server", "CommandLine", "Process"]

    static let doors: [String: Set<String>] = [
        "CLinux": ["Reactor"],
        "COpenSSL": ["Crypto", "TLS"],
        "CPostgres": ["Postgres"],
    ]

    static let shared: Set<String> = [
        "Wire", "Observability", "Mesh", "Reactor", "Crypto", "TLS", "HTTP", "Ledger", "Snapshot",
        "Transport",
    ]

    static let controlPlane: Set<String> = ["Postgres", "Store", "Control", "API"]

    /// What each room may import of the house itself.
    static let mayImport: [String: Set<String>] = [
        "Wire": [],
        "Observability": [],
        "Mesh": ["Wire"],
        "Crypto": ["Wire"],
        "TLS": ["Crypto", "Wire"],
        "Reactor": [],
        "HTTP": ["Wire", "Mesh"],
        "Ledger": ["Crypto", "Wire"],
        "Snapshot": ["Mesh", "Crypto", "Wire"],
        "Transport": ["Reactor", "TLS", "HTTP", "Wire", "Observability"],
        "Postgres": ["Reactor", "Wire", "Observability"],
        "Store": ["Postgres", "Mesh", "Crypto", "Ledger", "Wire"],
        "Control": [
            "Store", "Postgres", "Snapshot", "Ledger", "Crypto", "Mesh", "Wire", "Transport",
            "Reactor", "Observability",
        ],
        "API": ["Control", "Mesh", "HTTP", "Transport", "Wire", "Observability"],
        "Server": shared.union(controlPlane),
        // Reactor: a client needs a loop to run on, and only Reactor reads files without Foundation's
        // surprises (links, permissions of a secret).
        "CommandLine": [
            "Transport", "Reactor", "HTTP", "TLS", "Crypto", "Snapshot", "Ledger", "Mesh", "Wire",
        ],
        "DataPlane": shared,
        "Process": shared.union(["DataPlane"]),
    ]

    /// Modules that come with the toolchain, and the rooms that may use them.
    static let platform: [String: Set<String>] = [
        "Swift": Set(mayImport.keys),
        "Synchronization": Set(mayImport.keys),
        "Glibc": fences,
        "Foundation": controlPlane.union(["Server", "CommandLine"]),
        "FoundationEssentials": controlPlane.union(["Server", "CommandLine"]),
    ]

    static func isAllowed(_ module: String, in target: String) -> Bool {
        if let rooms = doors[module] ?? platform[module] { return rooms.contains(target) }
        return mayImport[target]?.contains(module) == true
    }

    /// Why `target` may not import `module`, in words that help to find the right room.
    static func reason(against module: String, in target: String) -> String {
        if let rooms = doors[module] {
            return "\(module) is the door to a C library; only \(list(rooms)) may open it, so that"
                + " every pointer stays behind a fence: ask that room for a Swift function"
        }
        if let reason = platformReasons[module] { return reason }
        if let reason = edgeReasons["\(target) -> \(module)"] { return reason }
        if shared.contains(target), !shared.contains(module), mayImport[module] != nil {
            return "Shared lies below both the control plane and the agent; an arrow upwards closes"
                + " a ring: move the value down or pass it in"
        }
        if ["DataPlane", "Process"].contains(target), mayImport[module] != nil {
            return "the agent links no libpq and knows no storage; what both sides need lives in"
                + " Shared"
        }
        if let reason = targetReasons[target], mayImport[module] != nil { return reason }
        if mayImport[module] != nil {
            return "the table lets \(target) import \(list(mayImport[target] ?? [])) only: the line"
                + " is in the wrong room"
        }
        return
            "\(module) is not in the table of the house: the project takes no packages, and a new"
            + " toolchain module is a decision to be made in House.swift"
    }

    private static func list(_ rooms: Set<String>) -> String {
        rooms.isEmpty ? "nothing" : rooms.sorted().joined(separator: ", ")
    }

    private static let foundationReason =
        "Foundation costs the agent its size and start-up time, and Shared is linked into the"
        + " agent: use the standard library and Wire"

    private static let platformReasons: [String: String] = [
        "Foundation": foundationReason,
        "FoundationEssentials": foundationReason,
        "FoundationNetworking": "Transport is our HTTP client; a second one would have other TLS"
            + " rules",
        "Glibc": "system calls belong in Reactor, Crypto, TLS or Postgres, where errno is read at"
            + " the call: ask that room for a Swift function",
        "Dispatch": "executors are the reactors; a Dispatch thread would be a second scheduler",
        "RegexBuilder": "a backtracking pattern over a peer's text has no bound: parse with Wire's"
            + " cursors",
        "Testing": "tests live under Tests/",
        "XCTest": "tests live under Tests/, and use Swift Testing",
    ]

    private static let edgeReasons: [String: String] = [
        "API -> Store": "API decodes, asks Control and encodes; a rule beside a query would be"
            + " decided twice",
        "API -> Postgres": "API decodes, asks Control and encodes; storage lies two floors below",
        "API -> Snapshot": "what agents enforce is built by Control alone",
        "Control -> API": "no callback goes against the current: API calls Control",
        "Store -> Control": "no callback goes against the current: Control calls Store",
        "CommandLine -> Control": "the command line speaks the REST API only, which keeps the API"
            + " complete",
        "CommandLine -> Store": "the command line speaks the REST API only, which keeps the API"
            + " complete",
        "CommandLine -> Postgres": "the command line speaks the REST API only, which keeps the API"
            + " complete",
        "TLS -> Reactor": "a TLS session is bytes in, bytes out: sockets meet it in Transport",
        "Postgres -> Mesh": "Postgres knows connections and bind parameters; meaning begins in"
            + " Store",
    ]

    private static let targetReasons: [String: String] = [
        "Mesh": "Mesh is pure: rules over values, no keys, clocks, sockets or storage",
        "Wire": "Wire is the ground: bytes and text, and nothing of the house below it",
        "Observability": "Observability is used by everyone, so it uses no one",
        "HTTP": "HTTP is pure bytes; sockets and TLS meet it in Transport",
        "Reactor": "Reactor knows descriptors and time, not what flows through them",
        "Crypto": "Crypto is a function of bytes, keys and a given time",
        "Ledger": "Ledger is hashes over bytes; who appends is decided above",
        "Snapshot": "both ends must agree byte for byte, so Snapshot knows neither sockets nor"
            + " storage",
    ]
}
