import Control
import Testing
import Wire

/// Signed requests as clients send them, and each way in which they are none.
struct AWSIdentityProofTests {
    private static let authorization = """
        AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/sts/aws4_request, \
        SignedHeaders=content-length;content-type;host;x-amz-date;x-vault-aws-iam-server-id, \
        Signature=\(String(repeating: "a1", count: 32))
        """

    private static let fields = [
        "Content-Length": "43", "Content-Type": AWSIdentityProof.contentType,
        "Host": "sts.amazonaws.com", "X-Amz-Date": "20260102T030405Z",
        "X-Vault-AWS-IAM-Server-ID": "cluster;nonce", "Authorization": authorization,
        "User-Agent": "anything",
    ]

    private func encode(_ text: String) -> String { Base64.encode(Array(text.utf8)) }

    private func refusal(
        method: String = "POST",
        url: String = "https://sts.amazonaws.com/",
        body: String = AWSIdentityProof.body,
        headers: String? = nil,
        _ change: [String: String?] = [:]
    ) -> AWSIdentityProof.Refusal? {
        var fields = Self.fields
        for (name, value) in change { fields[name] = value }
        let text = headers ?? String(decoding: JSON.canonical(.map(fields)), as: UTF8.self)
        do throws(AWSIdentityProof.Refusal) {
            _ = try AWSIdentityProof(
                method: method,
                url: encode(url),
                body: encode(body),
                headers: encode(text)
            )
            return nil
        } catch {
            return error
        }
    }

    private func signed(_ change: (String, String)) -> [String: String?] {
        ["Authorization": Self.authorization.replacing(change.0, with: change.1)]
    }

    @Test func whatClientsSendIsTakenApart() throws {
        #expect(refusal() == nil)
        #expect(refusal(url: "https://sts.amazonaws.com") == nil)
        #expect(refusal(["Host": nil, "Content-Length": nil]) == nil)
        let proof = try AWSIdentityProof(
            method: "POST",
            url: encode("https://sts.amazonaws.com/"),
            body: encode(AWSIdentityProof.body),
            headers: encode(String(decoding: JSON.canonical(.map(Self.fields)), as: UTF8.self))
        )
        #expect(proof.host == "sts.amazonaws.com" && proof.serverID == "cluster;nonce")
        #expect(proof.signedAt.description.hasPrefix("2026-01-02T03:04:05"))
        #expect(proof.securityToken == nil)
        let region = signed(("us-east-1", "eu-west-1"))
        #expect(refusal(url: "https://sts.eu-west-1.amazonaws.com/", region) == .headers)
        var there = region
        there["Host"] = "sts.eu-west-1.amazonaws.com"
        #expect(refusal(url: "https://sts.eu-west-1.amazonaws.com/", there) == nil)
    }

    @Test func everythingElseIsRefused() {
        #expect(refusal(method: "GET") == .method)
        for url in [
            "http://sts.amazonaws.com/", "https://sts.amazonaws.com/x",
            "https://sts.amazonaws.com/?Action=GetCallerIdentity", "https://sts.example.org/",
            "https://sts.nowhere-1.amazonaws.com/", "https://sts.amazonaws.com:443/",
            "https://sts.amazonaws.com.evil.example/", "https://a@sts.amazonaws.com/",
        ] { #expect(refusal(url: url) == .address, "\(url)") }
        #expect(refusal(body: "Action=AssumeRole&Version=2011-06-15") == .body)
        #expect(refusal(body: AWSIdentityProof.body + "&a=b") == .body)
        #expect(refusal(headers: "[]") == .headers)
        #expect(refusal(headers: #"{"Host":["a","b"]}"#) == .headers)
        #expect(refusal(headers: #"{"Host":"a","host":"a"}"#) == .duplicateHeader)
        #expect(refusal(["Host": "sts.example.org"]) == .headers)
        #expect(refusal(["Content-Type": "application/json"]) == .headers)
        #expect(refusal(["X-Amz-Date": nil]) == .date)
        #expect(refusal(["X-Amz-Date": "20260102030405Z"]) == .date)
        #expect(refusal(["X-Amz-Date": "20260103T030405Z"]) == .scope)
        #expect(refusal(["X-Vault-AWS-IAM-Server-ID": nil]) == .serverID)
        #expect(refusal(["Authorization": nil]) == .authorization)
    }

    @Test(
        arguments: [
            ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), ("Signature=a1", "Signature=A1"),
            ("Signature=a1", "Signature=a"), (", Signature", ",Signature"),
            ("Signature=", "Signature=00, Signature="),
        ]
    )
    func theAuthorizationIsReadStrictly(_ from: String, _ to: String) {
        #expect(refusal(signed((from, to))) == .authorization)
    }

    @Test(
        arguments: [
            ("/sts/", "/iam/"), ("aws4_request,", "aws4,"), ("us-east-1", "eu-west-1"),
            ("20260102", "20260103"), ("AKIAIOSFODNN7EXAMPLE", "akia"),
        ]
    )
    func theScopeIsOurs(_ from: String, _ to: String) {
        #expect(refusal(signed((from, to))) == .scope)
    }

    @Test(
        arguments: [
            (";x-vault-aws-iam-server-id", ""), ("host;", ""), ("x-amz-date;", ""),
            ("host;x-amz-date", "x-amz-date;host"), ("host;", "host;host;"),
            ("content-length;", "accept;content-length;"), ("host;", "Host;"),
            ("x-amz-date;", "x-amz-date;x-amz-security-token;"),
        ]
    )
    func exactlyWhatWeWriteIsSigned(_ from: String, _ to: String) {
        #expect(refusal(signed((from, to))) == .signedHeaders)
    }

    @Test func aSessionTokenIsSignedToo() {
        let token: [String: String?] = ["X-Amz-Security-Token": "abc"]
        #expect(refusal(token) == .signedHeaders)
        var both = signed(("x-amz-date;", "x-amz-date;x-amz-security-token;"))
        both["X-Amz-Security-Token"] = "abc"
        #expect(refusal(both) == nil)
    }
}
