import HTTP
import Mesh
import Wire

/// Servers on which roles are leased, and what leased roles may do.
enum TargetCommands {
    static let all = targets + profiles

    private static let targetName = Command.Operand(
        name: "TARGET",
        summary: "the name of a PostgreSQL server on which roles are leased"
    )
    static let profileName = Command.Operand(
        name: "PROFILE",
        summary: "the name of what leased roles may do"
    )

    // MARK: Targets

    private static let targets = [
        list(
            "target",
            "targets",
            [
                Column("TARGET", "name"),
                Column("PLACE") { "\($0.shown("host")):\($0.shown("port"))" },
                Column("DATABASE", "database"), Column("USERNAME", "username"),
                Column("LEASES MAX", "leases_max"), Column("GONE SINCE", "decommissioned_at"),
                Column("VERSION", "version"),
            ]
        ),
        Command(
            "target show",
            "show a target; its password is never shown",
            operands: [targetName],
            requests: ["GET /v1/targets/{target}"]
        ) { invocation, session async throws(Failure) in
            session.printResource(try await session.get(try target(invocation)), invocation)
        },
        Command(
            "target put",
            "create or replace a target, once its administrator was seen to be one",
            operands: [targetName],
            options: targetOptions,
            requests: ["PUT /v1/targets/{target}"],
            notes: [
                "The password is read from a file of mode 0600 or from standard input, never from an"
                    + " argument; without --password-file the one that is stored stays."
            ]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.send(
                .put,
                try target(invocation),
                body: try targetBody(invocation, session)
            )
            return session.conclude(
                answer,
                invocation,
                "target \(answer.shown("name")) at version \(answer.shown("version"))\n"
            )
        },
        Command(
            "target delete",
            "delete a target without profiles and open leases",
            operands: [targetName],
            requests: ["DELETE /v1/targets/{target}"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.send(.delete, try target(invocation))
            return session.conclude(answer, invocation, "deleted\n")
        },
        Command(
            "target decommission",
            "say that a target is gone for good: its leases end without anybody going there",
            operands: [targetName],
            options: [
                Command.Option(
                    name: "--reason",
                    value: "TEXT",
                    summary: "why, for the audit trail",
                    isRequired: true
                )
            ],
            requests: ["POST /v1/targets/{target}/decommission"]
        ) { invocation, session async throws(Failure) in
            let name = try invocation.operand("TARGET") { text throws(NameError) in
                try TargetName(text)
            }
            let answer = try await session.send(
                .post,
                APIPath("targets", name.text, "decommission"),
                body: .fields(["reason": .string(invocation.option("--reason") ?? "")])
            )
            return session.conclude(
                answer,
                invocation,
                "decommissioned; leases that end by it: \(answer.shown("leases"))\n"
            )
        },
        Command(
            "target rotate",
            "let the second administrator take over, under a password that nobody has seen",
            operands: [targetName],
            requests: ["POST /v1/targets/{target}/rotate"]
        ) { invocation, session async throws(Failure) in
            let name = try invocation.operand("TARGET") { text throws(NameError) in
                try TargetName(text)
            }
            let answer = try await session.send(
                .post,
                APIPath("targets", name.text, "rotate")
            )
            return session.conclude(
                answer,
                invocation,
                "\(answer.shown("username")) is the administrator now\n"
            )
        },
    ]

    private static let targetOptions = [
        Command.Option(
            name: "--host",
            value: "HOST",
            summary: "a DNS name in lower case, or an address",
            isRequired: true
        ),
        Command.Option(name: "--port", value: "PORT", summary: "5432 unless given"),
        Command.Option(
            name: "--database",
            value: "NAME",
            summary: "where the administrator logs in",
            isRequired: true
        ),
        Command.Option(
            name: "--username",
            value: "ROLE",
            summary: "who makes and ends roles there",
            isRequired: true
        ),
        Command.Option(
            name: "--rotation-username",
            value: "ROLE",
            summary: "a second administrator like the first: they take turns at `target rotate`"
        ),
        Command.Option(
            name: "--password-file",
            value: "FILE",
            summary: "mode 0600, or `-` for standard input"
        ),
        Command.Option(
            name: "--ca-file",
            value: "FILE",
            summary: "PEM: who vouches for the host; without it only this very machine can be named"
        ),
        Command.Option(
            name: "--allowed-profile",
            value: "GLOB",
            summary: "a profile that may be made for it; all unless given",
            isRepeatable: true
        ),
        Command.Option(
            name: "--leases-max",
            value: "N",
            summary: "leases that may be open on it at once; 1000 unless given"
        ),
    ]

    private static func target(_ invocation: Invocation) throws(Failure) -> APIPath {
        let name = try invocation.operand("TARGET") { text throws(NameError) in
            try TargetName(text)
        }
        return APIPath("targets", name.text)
    }

    private static func targetBody(
        _ invocation: Invocation,
        _ session: Session
    ) throws(Failure) -> Document {
        var password: String?
        if let file = invocation.option("--password-file") {
            var text = try session.secret(of: file, "--password-file")
            // The line that an editor ends.
            if text.hasSuffix("\n") { text.removeLast() }
            guard !text.isEmpty else { throw .usage("--password-file holds no password") }
            password = text
        }
        let authorities = try invocation.option("--ca-file").map { file throws(Failure) in
            try session.text(of: file)
        }
        let globs = invocation.all("--allowed-profile")
        return .fields([
            "host": .string(invocation.option("--host") ?? ""),
            "port": try invocation.number("--port", in: 1...65_535).map { .number($0) },
            "tls": authorities.map { .fields(["mode": "verify", "ca": .string($0)]) },
            "database": .string(invocation.option("--database") ?? ""),
            "username": .string(invocation.option("--username") ?? ""),
            "rotation_username": invocation.option("--rotation-username").map { .string($0) },
            "password": password.map { .string($0) },
            "allowed_profiles": globs.isEmpty ? Document?.none : .list(globs),
            "leases_max": try leasesMax(invocation),
        ])
    }

    private static func leasesMax(_ invocation: Invocation) throws(Failure) -> Document? {
        try invocation.number("--leases-max", in: LeaseTarget.leasesRange).map { .number($0) }
    }

    // MARK: Profiles

    private static let profiles = [
        list(
            "profile",
            "profiles",
            [
                Column("PROFILE", "name"), Column("TARGET", "target"),
                Column("GROUP ROLE", "group_role"), Column("DEFAULT TTL", "default_ttl"),
                Column("MAX TTL", "max_ttl"), Column("LEASES MAX", "leases_max"),
                Column("VERSION", "version"),
            ]
        ),
        Command(
            "profile show",
            "show a profile",
            operands: [profileName],
            requests: ["GET /v1/profiles/{profile}"]
        ) { invocation, session async throws(Failure) in
            session.printResource(try await session.get(try profile(invocation)), invocation)
        },
        Command(
            "profile put",
            "create or replace a profile, once a lease of it was issued, used and revoked",
            operands: [profileName],
            options: profileOptions,
            requests: ["PUT /v1/profiles/{profile}"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.send(
                .put,
                try profile(invocation),
                body: try profileBody(invocation)
            )
            return session.conclude(
                answer,
                invocation,
                "profile \(answer.shown("name")) at version \(answer.shown("version")),"
                    + " tried on \(answer.shown("target"))\n"
            )
        },
        Command(
            "profile delete",
            "delete a profile; its leases live on as long as they were given",
            operands: [profileName],
            requests: ["DELETE /v1/profiles/{profile}"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.send(.delete, try profile(invocation))
            return session.conclude(answer, invocation, "deleted\n")
        },
    ]

    private static let profileOptions = [
        Command.Option(
            name: "--target",
            value: "TARGET",
            summary: "where roles are made",
            isRequired: true
        ),
        Command.Option(
            name: "--group-role",
            value: "ROLE",
            summary: "the role that leased ones are members of"
        ),
        Command.Option(
            name: "--owner-role",
            value: "ROLE",
            summary: "who owns afterwards what they made; the group unless given"
        ),
        Command.Option(
            name: "--setting",
            value: "NAME=VALUE",
            summary: "a setting of their sessions, such as statement_timeout=30s",
            isRepeatable: true
        ),
        Command.Option(
            name: "--connection-limit",
            value: "N",
            summary: "connections of one lease at once; 10 unless given"
        ),
        Command.Option(
            name: "--creation",
            value: "SQL",
            summary: "instead of --group-role: with {{name}}, {{password}} and {{expiration}}",
            isRepeatable: true
        ),
        Command.Option(
            name: "--revocation",
            value: "SQL",
            summary: "runs before what is done in any case",
            isRepeatable: true
        ),
        Command.Option(
            name: "--default-ttl",
            value: "DURATION",
            summary: "how long a lease lives that asks for nothing else; 15m unless given"
        ),
        Command.Option(
            name: "--max-ttl",
            value: "DURATION",
            summary: "how long one lives at the longest, up to 1h"
        ),
        Command.Option(
            name: "--leases-max",
            value: "N",
            summary: "leases that may be open at once; 500 unless given"
        ),
    ]

    static func profile(_ invocation: Invocation) throws(Failure) -> APIPath {
        let name = try invocation.operand("PROFILE") { text throws(NameError) in
            try ProfileName(text)
        }
        return APIPath("profiles", name.text)
    }

    private static func profileBody(_ invocation: Invocation) throws(Failure) -> Document {
        var settings: [String: String] = [:]
        for text in invocation.all("--setting") {
            let parts = text.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, settings[String(parts[0])] == nil else {
                throw .usage("--setting must be written NAME=VALUE, each name once")
            }
            settings[String(parts[0])] = String(parts[1])
        }
        let creation = invocation.all("--creation")
        let revocation = invocation.all("--revocation")
        let limit = try invocation.number("--connection-limit", in: LeaseProfile.connectionRange)
        return .fields([
            "target": .string(invocation.option("--target") ?? ""),
            "group_role": invocation.option("--group-role").map { .string($0) },
            "owner_role": invocation.option("--owner-role").map { .string($0) },
            "settings": settings.isEmpty ? Document?.none : .map(settings),
            "connection_limit": limit.map { .number($0) },
            "creation_statements": creation.isEmpty ? Document?.none : .list(creation),
            "revocation_statements": revocation.isEmpty ? Document?.none : .list(revocation),
            "default_ttl": try invocation.duration("--default-ttl").map { .duration($0) },
            "max_ttl": try invocation.duration("--max-ttl").map { .duration($0) },
            "leases_max": try leasesMax(invocation),
        ])
    }

    private static func list(_ word: String, _ collection: String, _ columns: [Column]) -> Command {
        Command(
            "\(word) list",
            "list \(collection) that the token may read",
            options: [.limit],
            requests: ["GET /v1/\(collection)"]
        ) { invocation, session async throws(Failure) in
            let limit = try invocation.number("--limit", in: 1...100_000)
            let (items, next) = try await session.list(APIPath(collection), limit: limit)
            return session.printList(items, columns, invocation, next: next)
        }
    }
}
