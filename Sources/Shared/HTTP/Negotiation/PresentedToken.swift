/// Why the credentials of a request are refused with 400.
package enum CredentialFault: Error, Equatable, Sendable, CaseIterable {
    case malformed
    case repeated
    /// Two fields carry two different tokens; choosing one would be guessing who asks.
    case ambiguous

    /// What is wrong and what would be right; never a token.
    package var sentence: String {
        switch self {
        case .malformed: "A token is 1 to \(PresentedToken.byteCountMax) visible ASCII characters."
        case .repeated: "A credential field may occur once only."
        case .ambiguous: "The request carries two different tokens; send one."
        }
    }
}

/// A bearer token as a request presented it, not verified; never shows itself.
package struct PresentedToken: Equatable, Sendable, CustomStringConvertible,
    CustomDebugStringConvertible
{
    /// Longest token, in bytes; fits a JWT.
    package static let byteCountMax = 8 * 1024

    /// The token itself.
    package let secret: String

    /// A token; nil when it is empty, too long or holds anything but visible ASCII.
    package init?(_ secret: String) {
        guard !secret.isEmpty, secret.utf8.count <= PresentedToken.byteCountMax,
            secret.utf8.allSatisfy({ $0.isVisible && $0 != .comma })
        else { return nil }
        self.secret = secret
    }

    package var description: String { "(token)" }
    package var debugDescription: String { "(token)" }
}

extension HeaderFields {
    /// The one scheme and its parameters in `Authorization`; nil when the field is absent.
    package func authorization() throws(CredentialFault) -> (scheme: String, rest: String)? {
        guard count(of: .authorization) <= 1 else { throw .repeated }
        guard let value = first(.authorization) else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard let scheme = parts.first, let name = FieldName(String(scheme)) else {
            throw .malformed
        }
        return (name.text, parts.count > 1 ? String(parts[1].trimmingBlanks) : "")
    }

    /// The token after `Authorization: Bearer`; nil when the field is absent or another scheme's.
    package func bearerToken() throws(CredentialFault) -> PresentedToken? {
        guard let (scheme, rest) = try authorization(), scheme == "bearer" else { return nil }
        guard let token = PresentedToken(rest) else { throw .malformed }
        return token
    }

    /// The one token of a request, from `Authorization: Bearer` or any of `names`.
    ///
    /// The same token in several fields is one token.
    package func presentedToken(
        in names: [FieldName] = [.xVaultToken, .xConsulToken]
    ) throws(CredentialFault) -> PresentedToken? {
        var found = try bearerToken()
        for name in names {
            guard count(of: name) <= 1 else { throw .repeated }
            guard let value = first(name) else { continue }
            guard let token = PresentedToken(value) else { throw .malformed }
            guard found == nil || found == token else { throw .ambiguous }
            found = token
        }
        return found
    }
}
