import Mesh
import Wire

/// Who STS says that a request was signed by.
package struct AWSCallerIdentity: Equatable, Sendable {
    /// The longest answer.
    package static let answerBytesMax = 16 * 1024
    private static let namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

    /// Twelve digits.
    package let account: String
    /// As STS says it: of a role with its session.
    package let arn: String
    /// The role or user itself, such as `arn:aws:iam::123456789012:role/deploy`; paths of roles are lost.
    package let principal: String
    /// Of the role or user; never used again when it was deleted.
    package let uniqueID: String
    /// With the session of a role.
    package let userID: String

    /// Nil for everything but one identity of a role's session or a user.
    package init?(answer: [UInt8]) {
        guard answer.count <= Self.answerBytesMax, let root = PlainXML(answer),
            root.name == "GetCallerIdentityResponse", root.namespace == Self.namespace,
            root.children.count <= 2,
            let result = root.only("GetCallerIdentityResult"), result.children.count == 3,
            let account = result.only("Account")?.text, let arn = result.only("Arn")?.text,
            let userID = result.only("UserId")?.text
        else { return nil }
        self.init(account: account, arn: arn, userID: userID)
    }

    init?(account: String, arn: String, userID: String) {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn",
            ["aws", "aws-cn", "aws-us-gov"].contains(parts[1]),
            parts[3].isEmpty, parts[4] == account, AWSRole.isAccount(account)
        else { return nil }
        let names = parts[5].split(separator: "/", omittingEmptySubsequences: false)
        guard names.allSatisfy({ !$0.isEmpty }), (1...256).contains(userID.utf8.count),
            Text.isPrintableASCII(userID)
        else { return nil }
        switch (parts[2], names.first) {
        case ("sts", "assumed-role") where names.count == 3:
            principal = "arn:\(parts[1]):iam::\(account):role/\(names[1])"
        case ("iam", "user") where names.count >= 2: principal = arn
        default: return nil
        }
        self.account = account
        self.arn = arn
        self.userID = userID
        uniqueID = String(userID.prefix { $0 != ":" })
        guard !uniqueID.isEmpty else { return nil }
    }
}

/// An element of XML without attributes (but one `xmlns` of the root), entities, comments or CDATA: what
/// STS answers, and nothing that two readers might read differently.
struct PlainXML: Equatable {
    private static let depthMax = 4
    private static let childrenMax = 8

    let name: String
    let namespace: String
    let text: String
    let children: [PlainXML]

    /// Nil for everything but one such element, perhaps behind an XML declaration.
    init?(_ bytes: [UInt8]) {
        guard bytes.allSatisfy({ 0x20...0x7E ~= $0 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 })
        else { return nil }
        var rest = Substring(String(decoding: bytes, as: UTF8.self))
        Self.skipBlanks(&rest)
        if rest.hasPrefix("<?xml ") {
            guard let end = rest.firstIndex(of: ">"), rest[..<end].hasSuffix("?") else {
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        guard let root = Self.element(&rest, depth: 1) else { return nil }
        Self.skipBlanks(&rest)
        guard rest.isEmpty else { return nil }
        self = root
    }

    private init(name: String, namespace: String, text: String, children: [PlainXML]) {
        self.name = name
        self.namespace = namespace
        self.text = text
        self.children = children
    }

    /// The one child of a name; nil for none and for several.
    func only(_ name: String) -> PlainXML? {
        let found = children.filter { $0.name == name }
        return found.count == 1 ? found.first : nil
    }

    private static func element(_ rest: inout Substring, depth: Int) -> PlainXML? {
        skipBlanks(&rest)
        guard depth <= depthMax, rest.first == "<", let end = rest.firstIndex(of: ">") else {
            return nil
        }
        let tag = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        let parts = tag.split(separator: " xmlns=\"", omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, parts.count <= (depth == 1 ? 2 : 1),
            name.utf8.allSatisfy({ 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 })
        else { return nil }
        var namespace = ""
        if parts.count == 2 {
            guard parts[1].last == "\"",
                !parts[1].dropLast().contains(where: { "\"'&<".contains($0) })
            else { return nil }
            namespace = String(parts[1].dropLast())
        }
        let text = rest.prefix { $0 != "<" }
        guard !text.contains("&"), !text.contains(">") else { return nil }
        rest = rest[text.endIndex...]
        var children: [PlainXML] = []
        while !rest.hasPrefix("</") {
            guard children.count < childrenMax, text.allSatisfy(\.isWhitespace),
                let child = element(&rest, depth: depth + 1)
            else { return nil }
            children.append(child)
            skipBlanks(&rest)
        }
        let close = "</\(name)>"
        guard rest.hasPrefix(close) else { return nil }
        rest = rest.dropFirst(close.utf8.count)
        return PlainXML(
            name: String(name),
            namespace: namespace,
            text: children.isEmpty ? String(text) : "",
            children: children
        )
    }

    private static func skipBlanks(_ rest: inout Substring) {
        rest = rest.drop { $0.isWhitespace }
    }
}
