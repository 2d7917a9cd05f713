package import Wire

/// The name of a lease: what it was asked of, and an identifier.
///
/// Clients see `database/creds/<profile>/<26 characters>`; the characters are the identifier's 128
/// bits in Base32 (RFC 4648 section 6) in lower case without padding.
package struct LeaseID: Hashable, Sendable, CustomStringConvertible {
    /// What was asked for a credential.
    package let profile: ProfileName
    package let id: UUIDv7

    /// The path under which credentials of a profile are asked for.
    package static let pathPrefix = "database/creds/"

    package init(profile: ProfileName, id: UUIDv7) {
        self.profile = profile
        self.id = id
    }

    /// Reads what `description` wrote, and nothing else.
    package init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.hasPrefix(Self.pathPrefix), parts.count == 4,
            let id = LeasedRole.identifier(of: parts[3])
        else {
            throw .malformed("must be the id of a lease, such as database/creds/reader/…")
        }
        self.init(profile: try ProfileName(String(parts[2])), id: id)
    }

    /// The path that the credential was asked of.
    package var path: String { Self.pathPrefix + profile.text }

    /// The last part of the name: 26 characters.
    package var key: String { LeasedRole.text(of: id) }

    package var description: String { "\(path)/\(key)" }
}

/// The beginning of leases' names, as clients of Vault write it: whole segments, the last slash or not.
package enum LeasePrefix: Hashable, Sendable {
    /// `database` or `database/creds`.
    case all
    /// `database/creds/<profile>`.
    case profile(ProfileName)
    /// The whole name of one.
    case lease(LeaseID)

    package init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count <= 4, parts.first == "database",
            parts.dropFirst().first ?? "creds" == "creds"
        else {
            throw .malformed("must begin with database/creds/: nothing else is leased")
        }
        switch parts.count {
        case 3: self = .profile(try ProfileName(parts[2]))
        case 4: self = .lease(try LeaseID(parts.joined(separator: "/")))
        default: self = .all
        }
    }
}

/// The role that a lease makes on its target: name and marker follow from the lease alone, so that
/// whoever finds one knows whose it is.
package struct LeasedRole: Hashable, Sendable {
    /// What every name of a leased role begins with.
    package static let prefix = "tp_"

    package let lease: UUIDv7
    package let cluster: UUIDv7
    /// One more with every new password.
    package let generation: Int64

    package init(lease: UUIDv7, cluster: UUIDv7, generation: Int64) {
        self.lease = lease
        self.cluster = cluster
        self.generation = generation
    }

    /// The name of the role: 29 characters of `a-z`, `2-7` and `_`, so that it needs no quoting.
    package var name: String { Self.name(of: lease) }

    /// The name of a lease's role.
    package static func name(of lease: UUIDv7) -> String { prefix + text(of: lease) }

    /// The comment that marks the role.
    package var marker: String {
        "turnpike cluster=\(cluster) lease=\(lease) generation=\(generation)"
    }

    /// Reads a role that is marked; nil for any other name or comment, and for one whose name is not
    /// that of its lease.
    package init?(name: String, marker: String) {
        let parts = marker.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "turnpike",
            let cluster = Self.value(parts[1], of: "cluster").flatMap({ try? UUIDv7(parsing: $0) }),
            let lease = Self.value(parts[2], of: "lease").flatMap({ try? UUIDv7(parsing: $0) }),
            let generation = Self.value(parts[3], of: "generation").flatMap({ Int64($0) })
        else { return nil }
        self.init(lease: lease, cluster: cluster, generation: generation)
        guard self.name == name, self.marker == marker else { return nil }
    }

    private static func value(_ part: Substring, of name: String) -> String? {
        guard part.hasPrefix("\(name)=") else { return nil }
        return String(part.dropFirst(name.count + 1))
    }

    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let textByteCount = 26

    static func text(of id: UUIDv7) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(textByteCount)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in id.bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                output.append(alphabet[Int(bits >> count & 31)])
            }
        }
        if count > 0 { output.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return String(decoding: output, as: UTF8.self)
    }

    static func identifier(of text: Substring) -> UUIDv7? {
        guard text.utf8.count == textByteCount else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in text.utf8 {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        // What is left over has one spelling only.
        guard let id = try? UUIDv7(bytes: bytes), self.text(of: id) == text else { return nil }
        return id
    }
}
