/// A PostgreSQL server on which roles are leased, and who makes them there.
package struct LeaseTarget: Hashable, Sendable {
    /// The most leases that live on one target at a time, where it says nothing else.
    package static let leasesMaxDefault = 1_000
    /// What `leasesMax` may be.
    package static let leasesRange = 1...100_000
    /// The longest name of a database, role or user in PostgreSQL.
    package static let identifierBytes = 1...63
    /// The most globs of `allowedProfiles`.
    package static let globsMax = 64

    /// Where it is.
    package enum Place: Hashable, Sendable {
        case host(OutsideHost, port: UInt16)
        /// The directory of a unix socket; only where the operator of the server allows it.
        case socket(directory: String, port: UInt16)
    }

    /// How the server there proves who it is.
    package enum Security: Hashable, Sendable {
        /// TLS with a path to one of the authorities (DER) and the name of the host.
        case verified(authorities: [[UInt8]])
        /// In clear, on this very machine only.
        case plain
    }

    package var name: TargetName
    package var place: Place
    package var security: Security
    /// Where the administrator logs in.
    package var database: String
    /// Who makes and ends roles there.
    package var user: String
    /// A second administrator, who takes turns with `user` when the password is rotated.
    package var rotationUser: String?
    /// Which profiles may be made for it; `*` stands for any text.
    package var allowedProfiles: [String]
    /// How many leases may live on it at a time.
    package var leasesMax: Int

    package init(
        name: TargetName,
        place: Place,
        security: Security,
        database: String,
        user: String,
        rotationUser: String? = nil,
        allowedProfiles: [String] = ["*"],
        leasesMax: Int = leasesMaxDefault
    ) {
        self.name = name
        self.place = place
        self.security = security
        self.database = database
        self.user = user
        self.rotationUser = rotationUser
        self.allowedProfiles = allowedProfiles
        self.leasesMax = leasesMax
    }

    /// Whether its administrator logs in at the same place, in the same way.
    package func isReachedLike(_ other: LeaseTarget) -> Bool {
        place == other.place && security == other.security && database == other.database
            && user == other.user
    }

    /// Whether a profile of a name may be made for it.
    package func allows(_ profile: ProfileName) -> Bool {
        allowedProfiles.contains {
            Self.matches(Array($0.utf8)[...], Array(profile.text.utf8)[...])
        }
    }

    private static func matches(_ glob: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        let pieces = glob.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        guard let first = pieces.first, let last = pieces.last else { return false }
        guard pieces.count > 1 else { return first.elementsEqual(text) }
        guard text.count >= first.count + last.count, text.starts(with: first),
            text.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = text.dropFirst(first.count).dropLast(last.count)
        for piece in pieces.dropFirst().dropLast() {
            guard let start = position(of: piece, in: rest) else { return false }
            rest = rest[(start + piece.count)...]
        }
        return true
    }

    private static func position(
        of piece: ArraySlice<UInt8>,
        in text: ArraySlice<UInt8>
    ) -> Int? {
        guard piece.count <= text.count else { return nil }
        return (text.startIndex...(text.endIndex - piece.count)).first {
            text[$0..<($0 + piece.count)].elementsEqual(piece)
        }
    }

    /// Checks what does not depend on anything else; the error names the field.
    package func validate() throws(InvalidField) {
        switch place {
        case .host(let host, let port):
            guard port != 0 else { throw InvalidField("port", .outOfRange(least: 1, most: 65_535)) }
            if case .address(let address) = host, address.reach == .nowhere {
                throw InvalidField("host", .wrong("must be the address of one host"))
            }
            guard case .plain = security else { break }
            guard isThisMachine(host) else {
                throw InvalidField(
                    "tls.mode",
                    .wrong("must be verify for a host that is not this machine")
                )
            }
        case .socket(let directory, let port):
            guard port != 0 else { throw InvalidField("port", .outOfRange(least: 1, most: 65_535)) }
            guard directory.hasPrefix("/"), directory.utf8.count <= 100 else {
                throw InvalidField("host", .wrong("must be the path of a socket's directory"))
            }
            guard case .plain = security else {
                throw InvalidField("tls.mode", .wrong("must be none for a unix socket"))
            }
        }
        if case .verified(let authorities) = security {
            guard 1...ExternalTarget.authoritiesMax ~= authorities.count else {
                throw InvalidField("tls.ca", .wrong("must hold 1 to 32 certificates"))
            }
        }
        for (field, text) in [("database", database), ("username", user)] {
            guard Self.identifierBytes.contains(text.utf8.count) else {
                throw InvalidField(field, .wrong("must be 1 to 63 bytes long"))
            }
        }
        if let rotationUser {
            guard Self.identifierBytes.contains(rotationUser.utf8.count) else {
                throw InvalidField("rotation_username", .wrong("must be 1 to 63 bytes long"))
            }
            guard rotationUser != user else {
                throw InvalidField("rotation_username", .wrong("must be another than username"))
            }
        }
        guard allowedProfiles.count <= Self.globsMax else {
            throw InvalidField("allowed_profiles", .tooMany(limit: Self.globsMax))
        }
    }

    private func isThisMachine(_ host: OutsideHost) -> Bool {
        switch host {
        case .address(let address): address.isLoopback
        case .name(let name): name.text == "localhost"
        }
    }
}
