/// Why keys at rest cannot be opened; says what would be right, never what a key is.
package enum KeyError: Error, Equatable, Sendable {
    /// The root key is wrapped by other keys than the one that was given.
    case otherKeyEncryptionKey(given: String, wanted: [String])
    /// A wrap or a sealed secret was altered, moved, or made for another cluster.
    case altered(String)
    /// The format byte is unknown: written by a newer program.
    case unknownFormat(String)
    /// A key that is needed is not in the keyring.
    case missing(purpose: String, version: Int)
    /// OpenSSL failed where it cannot on valid arguments.
    case backend
}

extension KeyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherKeyEncryptionKey(let given, let wanted):
            "the key file holds key \(given), but this database was sealed with"
                + " \(wanted.joined(separator: " or ")): give the key file of this cluster"
        case .altered(let what):
            "\(what) cannot be opened: it was altered, or belongs to another cluster"
        case .unknownFormat(let what):
            "\(what) was written by a newer version of this program"
        case .missing(let purpose, let version):
            "the keyring holds no version \(version) of the key for \(purpose)"
        case .backend: "OpenSSL failed to seal or open a key"
        }
    }
}
