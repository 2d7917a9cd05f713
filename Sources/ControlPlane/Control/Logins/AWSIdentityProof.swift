package import Wire

/// A signed `GetCallerIdentity` that a client made and did not send, taken apart.
///
/// Nothing of it is forwarded as it came: method, path, body and every other header of the request to STS
/// are constants. What the client signed differently, STS refuses.
package struct AWSIdentityProof: Equatable, Sendable {
    /// Why a request proves nothing; the code stands in the audit trail.
    package enum Refusal: String, Error, Sendable {
        case method = "aws_method"
        case address = "aws_url"
        case body = "aws_body"
        case headers = "aws_headers"
        case duplicateHeader = "aws_duplicate_header"
        case signedHeaders = "aws_signed_headers"
        case authorization = "aws_authorization"
        case scope = "aws_scope"
        case date = "aws_date"
        case serverID = "aws_server_id"
    }

    package static let body = "Action=GetCallerIdentity&Version=2011-06-15"
    package static let contentType = "application/x-www-form-urlencoded; charset=utf-8"
    package static let serverIDField = "x-vault-aws-iam-server-id"
    /// How far the client's clock may be from ours.
    package static let skewMax: Duration = .seconds(300)
    /// The longest of the four fields, before it is decoded.
    package static let fieldBytesMax = 16 * 1024
    package static let headersMax = 32
    private static let tokenBytesMax = 4 * 1024

    /// One of the hosts that are built in.
    package let host: String
    /// `X-Amz-Date` as it was signed.
    package let date: String
    package let signedAt: Timestamp
    package let authorization: String
    /// In hexadecimal.
    package let signature: String
    /// Of temporary credentials; nil for others.
    package let securityToken: String?
    package let serverID: String

    /// Takes apart what clients of Vault send: all but the method in base64.
    package init(
        method: String,
        url: String,
        body: String,
        headers: String
    ) throws(Refusal) {
        guard method == "POST" else { throw .method }
        guard let address = Self.text(url), let place = AWSRegion.place(ofURL: address) else {
            throw .address
        }
        guard Self.text(body) == Self.body else { throw .body }
        let fields = try Self.fields(headers)
        guard let authorization = fields["authorization"] else { throw .authorization }
        guard let date = fields["x-amz-date"], let signedAt = Self.time(date) else { throw .date }
        guard let serverID = fields[Self.serverIDField] else { throw .serverID }
        host = place.host
        self.date = date
        self.signedAt = signedAt
        self.authorization = authorization
        self.serverID = serverID
        securityToken = fields["x-amz-security-token"]
        let parsed = try Self.parse(authorization)
        signature = parsed.signature
        guard parsed.date == date.prefix(8), parsed.region == place.region else { throw .scope }
        try Self.check(parsed.signed, fields, host: place.host)
    }

    // MARK: Fields

    private static func text(_ encoded: String) -> String? {
        guard encoded.utf8.count <= fieldBytesMax, let bytes = try? Base64.decode(encoded) else {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.utf8.elementsEqual(bytes) && Text.isPrintable(text) ? text : nil
    }

    /// By lower-case name; each once.
    private static func fields(_ encoded: String) throws(Refusal) -> [String: String] {
        guard encoded.utf8.count <= fieldBytesMax, let bytes = try? Base64.decode(encoded),
            let document = try? JSON.parse(bytes, source: "headers", limits: .request),
            let entries = document.entries, entries.count <= headersMax
        else { throw .headers }
        var fields: [String: String] = [:]
        for entry in entries {
            let value =
                entry.value.items.map { $0.count == 1 ? $0.first?.text : nil }
                ?? entry.value.text
            guard let value, value.utf8.count <= tokenBytesMax, Text.isPrintableASCII(value),
                Text.isPrintableASCII(entry.key)
            else { throw .headers }
            guard fields.updateValue(value, forKey: entry.key.lowercased()) == nil else {
                throw .duplicateHeader
            }
        }
        return fields
    }

    /// `20150830T123600Z`.
    private static func time(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16 else { return nil }
        func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        return try? Timestamp(
            rfc3339: "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))\(part(8..<9))"
                + "\(part(9..<11)):\(part(11..<13)):\(part(13..<15))\(part(15..<16))"
        )
    }

    // MARK: Authorization

    private struct Parsed {
        let date: String
        let region: String
        let signed: [String]
        let signature: String
    }

    private static func parse(_ text: String) throws(Refusal) -> Parsed {
        let scheme = "AWS4-HMAC-SHA256 "
        guard text.hasPrefix(scheme) else { throw .authorization }
        let parts = text.dropFirst(scheme.utf8.count).split(
            separator: ", ",
            omittingEmptySubsequences: false
        )
        guard parts.count == 3, let credential = value(parts[0], "Credential="),
            let signed = value(parts[1], "SignedHeaders="),
            let signature = value(parts[2], "Signature="), signature.utf8.count == 64,
            (try? Hex.decode(signature)) != nil, signature == signature.lowercased()
        else { throw .authorization }
        let scope = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard scope.count == 5, (16...128).contains(scope[0].utf8.count),
            scope[0].utf8.allSatisfy({ 0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 }),
            scope[3] == "sts", scope[4] == "aws4_request"
        else { throw .scope }
        return Parsed(
            date: String(scope[1]),
            region: String(scope[2]),
            signed: signed.split(separator: ";", omittingEmptySubsequences: false).map(String.init),
            signature: signature
        )
    }

    private static func value(_ part: Substring, _ name: String) -> String? {
        part.hasPrefix(name) ? String(part.dropFirst(name.utf8.count)) : nil
    }

    /// What was signed must be what we write: a header of another value, or that we do not write, is
    /// refused here and not only by STS.
    private static func check(
        _ signed: [String],
        _ fields: [String: String],
        host: String
    ) throws(Refusal) {
        guard signed.count <= headersMax, zip(signed, signed.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw .signedHeaders }
        let ours = [
            "host": host, "content-type": contentType,
            "content-length": String(body.utf8.count),
        ]
        for (name, value) in ours {
            // What was not sent along is what we write.
            guard fields[name] == nil || fields[name] == value else { throw .headers }
        }
        var known = Set(ours.keys).union(["x-amz-date", serverIDField])
        var needed: Set = ["host", "x-amz-date", serverIDField]
        if fields["x-amz-security-token"] != nil {
            known.insert("x-amz-security-token")
            needed.insert("x-amz-security-token")
        }
        guard needed.isSubset(of: signed), known.isSuperset(of: signed) else {
            throw .signedHeaders
        }
    }
}

/// Where AWS answers who somebody is: hosts that are built in, whatever a client says.
enum AWSRegion {
    private static let global = "sts.amazonaws.com"
    private static let china = ["cn-north-1", "cn-northwest-1"]
    static let all = [
        "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2",
        "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
        "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ca-central-1",
        "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
        "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1",
        "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1",
        "us-west-1", "us-west-2",
    ]

    /// The region and host of `https://sts.REGION.amazonaws.com/`; nil for every other address.
    static func place(ofURL url: String) -> (region: String, host: String)? {
        let places =
            [(region: "us-east-1", host: global)]
            + all.map { (region: $0, host: "sts.\($0).amazonaws.com") }
            + china.map { (region: $0, host: "sts.\($0).amazonaws.com.cn") }
        return places.first { url == "https://\($0.host)/" || url == "https://\($0.host)" }
    }
}
