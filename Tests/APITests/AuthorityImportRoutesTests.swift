import API
import Control
import HTTP
import Support
import Testing
import Wire

/// An operator's CA through the API, from the request to the proposal.
@Suite struct AuthorityImportRoutesTests {
    private func body(_ fields: KeyValuePairs<String, String>) -> String {
        let entries = fields.map { Document.Entry(key: $0.key, value: .string($0.value)) }
        return String(decoding: JSON.compact(Document(.map(entries))), as: UTF8.self)
    }

    @Test func aRequestIsSignedOutsideAndBroughtBack() async throws {
        let owner = try OperatorAuthority()
        try await APIFixture.with { api in
            let made = try await api.send(.post, "/v1/ca/csr", token: api.admin, body: "{}")
            #expect(made.status == 200 && made.body["new"]?.bool == true, "\(made.body)")
            let request = try #require(made.body["csr"]?.text)
            let again = try await api.send(.post, "/v1/ca/csr", token: api.admin, body: "{}")
            #expect(again.body["csr"]?.text == request && again.body["new"]?.bool == false)
            let signed = try owner.sign(request)
            let taken = try await api.send(
                .post,
                "/v1/ca/import",
                token: api.admin,
                body: body(["certificate": signed, "chain": owner.chain])
            )
            #expect(taken.status == 200, "\(taken.body)")
            #expect(taken.body["proposal"]?.text != nil)
            #expect(taken.body["warnings"]?.items?.isEmpty == true)
            #expect(taken.body["summary"]?.text?.contains("sign and submit") == true)
            let shown = try await api.send(.get, "/v1/ca", token: api.admin)
            #expect(shown.body["root_key"]?.text == "here")
            let renewed = try await api.send(
                .post,
                "/v1/ca/csr",
                token: api.admin,
                body: #"{"new":true}"#
            )
            #expect(renewed.body["csr"]?.text != request)
        }
    }

    @Test func aKeyIsTakenAndNeverAnswered() async throws {
        let owner = try OperatorAuthority(key: "EC", issuing: false)
        let secret = try #require(owner.signerKey.split(separator: "\n").dropFirst().first)
        try await APIFixture.with { api in
            let taken = try await api.send(
                .post,
                "/v1/ca/import",
                token: api.admin,
                body: body(["certificate": owner.root, "private_key": owner.signerKey])
            )
            #expect(taken.status == 200, "\(taken.body)")
            #expect(!"\(taken.body)".contains(secret))
            let wrong = try await api.send(
                .post,
                "/v1/ca/import",
                token: api.admin,
                body: body([
                    "certificate": owner.root, "chain": owner.root,
                    "private_key": owner.signerKey.replacing("PRIVATE", with: "EC PRIVATE"),
                ])
            )
            #expect(wrong.status == 400 && wrong.code == "ca.private_key")
            #expect(!"\(wrong.body)".contains(secret))
            let noChain = try await api.send(
                .post,
                "/v1/ca/import",
                token: api.admin,
                body: body([
                    "certificate": owner.root, "chain": "none", "private_key": owner.signerKey,
                ])
            )
            #expect(noChain.status == 400 && noChain.code == "ca.chain")
            let audit = try await api.send(.get, "/v1/audit?limit=1000", token: api.admin)
            #expect(!"\(audit.body)".contains(secret))
        }
    }

    @Test(arguments: [
        (#"{}"#, "certificate"), (#"{"certificate":7}"#, "certificate"),
        (#"{"certificate":"x","extra":1}"#, "extra"),
        (#"{"certificate":"x","chain":"y"}"#, "certificate"),
        (#"{"certificate":"x","private_key":["z"]}"#, "private_key"),
    ])
    func aWrongImportNamesItsField(_ body: String, _ field: String) async throws {
        try await APIFixture.with { api in
            let reply = try await api.send(
                .post,
                "/v1/ca/import",
                token: api.admin,
                body: body
            )
            #expect(reply.status == 400)
            #expect(reply.body["errors"]?[0]?.text?.contains(field) == true, "\(reply.body)")
        }
    }

    @Test func bothNeedTheirOwnRight() async throws {
        try await APIFixture.with { api in
            let reader = try await api.token(policies: ["read-only"])
            for path in ["/v1/ca/csr", "/v1/ca/import"] {
                let reply = try await api.send(
                    .post,
                    path,
                    token: reader,
                    body: #"{"certificate":"x"}"#
                )
                #expect(reply.status == 403)
            }
        }
    }
}
