// swift-tools-version: 6.3

// The floors of the house are targets, and the walls between them are the dependency lists below:
// a target that imports what is not listed here does not build
// (`swift build --explicit-target-dependency-import-check error`), and Tests/Tidy reads every
// `import` against the same table.

import PackageDescription

let language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// A pointer use not marked `unsafe` is an error, and only the fence targets may hold that word.
let house: [SwiftSetting] = language + [.strictMemorySafety()]

/// Without the regular expressions that every module imports unasked: one use of theirs, such as a
/// split at a text of several characters, makes the agent a sixteenth larger.
let frugal: [SwiftSetting] =
    house + [.unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"])]

func room(
    _ name: String,
    _ floor: String,
    uses dependencies: [Target.Dependency] = [],
    resources: [Resource] = []
) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Sources/\(floor)/\(name)",
        resources: resources,
        swiftSettings: floor == "ControlPlane" ? house : frugal
    )
}

func door(_ name: String, libraries: [String]) -> Target {
    .target(
        name: name,
        path: "Sources/Shared/\(name)",
        linkerSettings: libraries.map { .linkedLibrary($0) }
    )
}

func tests(
    _ name: String,
    uses dependencies: [Target.Dependency],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["Support"],
        path: "Tests/\(name)Tests",
        exclude: exclude,
        swiftSettings: language
    )
}

/// Release programs export nothing and pack their relocations, which makes the agent a tenth smaller.
let tight: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker",
            "--no-export-dynamic",
        ],
        .when(configuration: .release)
    )
]

/// The agent's functions of the same code are one function, which keeps it under its 16 MiB.
let folded: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "--icf=all"], .when(configuration: .release))
]

let shared: [Target] = [
    door("CLinux", libraries: []),
    door("COpenSSL", libraries: ["ssl", "crypto"]),
    door("CPostgres", libraries: ["pq"]),
    room("Wire", "Shared"),
    room("Observability", "Shared"),
    room("Mesh", "Shared", uses: ["Wire"]),
    room("Reactor", "Shared", uses: ["CLinux"]),
    room("Crypto", "Shared", uses: ["COpenSSL", "Wire"]),
    room("TLS", "Shared", uses: ["COpenSSL", "Crypto", "Wire"]),
    room("HTTP", "Shared", uses: ["Wire", "Mesh"]),
    room("Ledger", "Shared", uses: ["Crypto", "Wire"]),
    room("Snapshot", "Shared", uses: ["Mesh", "Crypto", "Wire"]),
    room("Transport", "Shared", uses: ["Reactor", "TLS", "HTTP", "Wire", "Observability"]),
]

let controlPlane: [Target] = [
    room(
        "Postgres",
        "ControlPlane",
        uses: ["CPostgres", "Reactor", "Wire", "Observability"]
    ),
    room(
        "Store",
        "ControlPlane",
        uses: ["Postgres", "Mesh", "Crypto", "Ledger", "Wire"],
        resources: [.embedInCode("Migrations")]
    ),
    room(
        "Control",
        "ControlPlane",
        uses: [
            "Store", "Postgres", "Snapshot", "Ledger", "Crypto", "Mesh", "Wire", "Transport",
            "Reactor", "Observability",
        ]
    ),
    room(
        "API",
        "ControlPlane",
        uses: ["Control", "Mesh", "HTTP", "Transport", "Wire", "Observability"]
    ),
    .executableTarget(
        name: "turnpike-server",
        dependencies: [
            "API", "Control", "Store", "Postgres", "Snapshot", "Ledger", "Transport", "TLS",
            "HTTP", "Crypto", "Reactor", "Mesh", "Wire", "Observability",
        ],
        path: "Sources/ControlPlane/Server",
        swiftSettings: house,
        linkerSettings: tight
    ),
    .executableTarget(
        name: "turnpike",
        dependencies: [
            "Transport", "Reactor", "HTTP", "TLS", "Crypto", "Snapshot", "Ledger", "Mesh", "Wire",
        ],
        path: "Sources/ControlPlane/CommandLine",
        swiftSettings: house,
        linkerSettings: tight
    ),
]

let agentFloor: [Target.Dependency] = [
    "Transport", "Snapshot", "Ledger", "TLS", "HTTP", "Crypto", "Reactor", "Mesh", "Wire",
    "Observability",
]

let agent: [Target] = [
    room("DataPlane", "Agent", uses: agentFloor),
    .executableTarget(
        name: "turnpike-agent",
        dependencies: ["DataPlane"] + agentFloor,
        path: "Sources/Agent/Process",
        swiftSettings: frugal,
        linkerSettings: tight + folded
    ),
]

let judged: [Target] = [
    .target(
        name: "Support",
        dependencies: [
            "CLinux", "Crypto", "HTTP", "Mesh", "Postgres", "Reactor", "Snapshot", "Store", "TLS",
            "Transport", "Wire",
        ],
        path: "Tests/Support",
        swiftSettings: language
    ),
    .executableTarget(
        name: "turnpike-conformance",
        dependencies: ["Crypto", "HTTP", "Ledger", "Mesh", "Snapshot", "Wire"],
        path: "Tests/Conformance",
        swiftSettings: house
    ),
    .executableTarget(
        name: "turnpike-simulation",
        dependencies: ["Crypto", "DataPlane", "Mesh", "Reactor", "Snapshot", "Wire"],
        path: "Tests/Simulation",
        swiftSettings: language
    ),
    .executableTarget(
        name: "turnpike-bench",
        dependencies: [
            "Control", "Store", "Postgres", "Observability", "DataPlane", "Transport", "Snapshot",
            "TLS", "HTTP", "Crypto", "Reactor", "Mesh", "Wire",
        ],
        path: "Tests/Bench",
        swiftSettings: language
    ),
    .target(name: "CFuzzer", path: "Tests/CFuzzer"),
    .executableTarget(
        name: "turnpike-fuzz",
        dependencies: [
            "CFuzzer", "Crypto", "DataPlane", "HTTP", "Mesh", "Reactor", "Snapshot", "Wire",
        ],
        path: "Tests/Fuzz",
        swiftSettings: language
    ),
    tests("Wire", uses: ["Wire"]),
    tests("Observability", uses: ["Observability"]),
    tests("Mesh", uses: ["Mesh", "Wire"]),
    tests("Reactor", uses: ["Reactor", "CLinux"]),
    tests("Crypto", uses: ["Crypto", "Wire"]),
    tests("TLS", uses: ["TLS", "Crypto", "Wire"]),
    tests("HTTP", uses: ["HTTP", "Mesh", "Wire"]),
    tests("Ledger", uses: ["Ledger", "Crypto", "Wire"]),
    tests("Snapshot", uses: ["Snapshot", "Mesh", "Crypto", "Wire"]),
    tests(
        "Transport",
        uses: ["Transport", "Reactor", "TLS", "HTTP", "Crypto", "Wire", "Observability"]
    ),
    tests("Postgres", uses: ["Postgres", "Reactor", "Wire", "Observability"]),
    tests("Store", uses: ["Store", "Postgres", "Mesh", "Crypto", "Ledger", "Reactor", "Wire"]),
    tests(
        "Control",
        uses: [
            "Control", "Store", "Postgres", "Snapshot", "Ledger", "Crypto", "Mesh", "Wire",
            "Transport", "Reactor", "Observability",
        ]
    ),
    tests(
        "API",
        uses: [
            "API", "Control", "Store", "Postgres", "Mesh", "HTTP", "Transport", "Reactor", "Wire",
            "Observability", "Crypto", "Snapshot",
        ]
    ),
    tests(
        "Server",
        uses: ["turnpike-server", "Control", "Wire", "Snapshot", "Crypto", "Mesh"]
    ),
    tests(
        "CommandLine",
        uses: ["turnpike", "Transport", "Reactor", "TLS", "HTTP", "Crypto", "Mesh", "Wire"]
    ),
    tests("DataPlane", uses: ["DataPlane"] + agentFloor),
    tests("Process", uses: ["turnpike-agent"] + agentFloor),
    tests(
        "Conformance",
        uses: ["Wire", "Crypto", "Mesh"],
        exclude: ["make_cases.py", "certificate_cases.py", "jose_cases.py"]
    ),
    tests("Fuzz", uses: ["turnpike-fuzz", "Wire", "Mesh", "HTTP", "Crypto", "Snapshot"]),
    tests("Simulation", uses: ["turnpike-simulation", "Snapshot", "Mesh", "Crypto", "Wire"]),
    .testTarget(
        name: "IntegrationTests",
        dependencies: ["Support"] + agentFloor + ["Postgres"],
        path: "Tests/Integration",
        swiftSettings: language
    ),
    .testTarget(name: "TidyTests", path: "Tests/Tidy", swiftSettings: language),
]

let package = Package(
    name: "turnpike",
    targets: shared + controlPlane + agent + judged
)
