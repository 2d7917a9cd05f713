import API
import Control
import HTTP
import Support
import Testing
import Wire

/// KV of version 2, call by call.
@Suite struct SecretRoutesTests {
    private func read(
        _ api: APIFixture,
        _ path: String,
        _ query: String = ""
    ) async throws -> APIFixture.Reply {
        try await api.send(.get, "/v1/secret/data/\(path)\(query)", token: api.admin)
    }

    @discardableResult
    private func write(
        _ api: APIFixture,
        _ path: String,
        _ data: String,
        options: String = "{}"
    ) async throws -> APIFixture.Reply {
        try await api.send(
            .put,
            "/v1/secret/data/\(path)",
            token: api.admin,
            body: #"{"options":\#(options),"data":\#(data)}"#
        )
    }

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/secret/\(path)", token: api.admin, body: body)
    }

    @Test func aSecretIsWrittenAndRead() async throws {
        try await APIFixture.with { api in
            let value = #"{"password":"one","n":12345678901234567890,"deep":{"a":[1.50]}}"#
            let first = try await write(api, "app/db", value)
            #expect(first.status == 200)
            #expect(first.body["data"]?["version"]?.integer == 1)
            #expect(first.body["data"]?["deletion_time"]?.text == "")
            #expect(first.body["mount_type"]?.text == "kv")
            try await write(api, "app/db", #"{"password":"two"}"#)
            let second = try await read(api, "app/db/")
            #expect(second.body["data"]?["data"]?["password"]?.text == "two")
            #expect(second.body["data"]?["metadata"]?["version"]?.integer == 2)
            let old = try await read(api, "app//db", "?version=1")
            #expect(try old.body["data"]?["data"] == JSON.parse(value))
            for query in ["?version=3", "?version=99"] {
                let none = try await read(api, "app/db", query)
                #expect(none.status == 404)
                #expect(none.body["errors"]?.items?.isEmpty == true)
            }
            #expect(try await read(api, "app/none").status == 404)
            #expect(try await read(api, "app/db", "?version=x").status == 400)
            let reads = try await api.send(
                .get,
                "/v1/audit?action=secret.read&limit=100",
                token: api.admin
            )
            #expect((reads.body["items"]?.items?.count ?? 0) >= 5)
            #expect("\(reads.body)".contains("two") == false)
        }
    }

    @Test func checkAndSet() async throws {
        try await APIFixture.with { api in
            #expect(try await write(api, "a", "{}", options: #"{"cas":1}"#).status == 400)
            #expect(try await write(api, "a", "{}", options: #"{"cas":0}"#).status == 200)
            let again = try await write(api, "a", "{}", options: #"{"cas":"0"}"#)
            #expect(again.status == 400)
            #expect(
                again.body["errors"]?[0]?.text
                    == "check-and-set parameter did not match the current version"
            )
            #expect(try await post(api, "config", #"{"cas_required":true}"#).status == 204)
            let without = try await write(api, "a", "{}", options: "null")
            #expect(without.status == 400)
            #expect(try await write(api, "a", "{}", options: #"{"cas":1}"#).status == 200)
        }
    }

    @Test func deletedUndeletedDestroyed() async throws {
        try await APIFixture.with { api in
            try await write(api, "a", #"{"k":"1"}"#)
            try await write(api, "a", #"{"k":"2"}"#)
            let delete = try await api.send(.delete, "/v1/secret/data/a", token: api.admin)
            #expect(delete.status == 204)
            let deleted = try await read(api, "a")
            #expect(deleted.status == 404)
            #expect(deleted.body["data"]?["data"]?.isNull == true)
            #expect(deleted.body["data"]?["metadata"]?["version"]?.integer == 2)
            #expect(deleted.body["data"]?["metadata"]?["deletion_time"]?.text != "")
            #expect(deleted.body["errors"] == nil)
            #expect(try await read(api, "a", "?version=1").status == 200)
            #expect(try await post(api, "undelete/a", #"{"versions":["2"]}"#).status == 204)
            #expect(try await read(api, "a").body["data"]?["data"]?["k"]?.text == "2")
            #expect(try await post(api, "delete/a", #"{"versions":[1,2,9]}"#).status == 204)
            #expect(try await read(api, "a", "?version=1").status == 404)
            #expect(try await post(api, "destroy/a", #"{"versions":[1]}"#).status == 204)
            #expect(try await post(api, "undelete/a", #"{"versions":"1,2"}"#).status == 204)
            let destroyed = try await read(api, "a", "?version=1")
            #expect(destroyed.status == 404)
            #expect(destroyed.body["data"]?["metadata"]?["destroyed"]?.bool == true)
            #expect(try await read(api, "a").status == 200)
            for body in ["{}", #"{"versions":[]}"#, #"{"versions":[0]}"#, #"{"versions":["x"]}"#] {
                #expect(try await post(api, "destroy/a", body).status == 400)
            }
            #expect(try await post(api, "delete/none", #"{"versions":[1]}"#).status == 204)
            #expect(try await api.control.secrets.verify())
        }
    }

    @Test func metadataAndLists() async throws {
        try await APIFixture.with { api in
            for path in ["a", "b/c", "b/d/e", "b", "b!/x"] { try await write(api, path, "{}") }
            func list(_ path: String) async throws -> [String]? {
                try await api.send(.list, "/v1/secret/metadata\(path)", token: api.admin)
                    .body["data"]?["keys"]?.items?.compactMap(\.text)
            }
            #expect(try await list("") == ["a", "b", "b!/", "b/"])
            #expect(try await list("/b/") == ["c", "d/"])
            #expect(try await list("/b") == ["c", "d/"])
            let empty = try await api.send(.list, "/v1/secret/metadata/a", token: api.admin)
            #expect(empty.status == 404)
            #expect(empty.body["errors"]?.items?.isEmpty == true)
            let set = try await post(
                api,
                "metadata/a",
                """
                {"max_versions":2,"cas_required":false,"delete_version_after":"90m",
                 "custom_metadata":{"owner":"web"}}
                """
            )
            #expect(set.status == 204)
            for _ in 0..<3 { try await write(api, "a", "{}") }
            let found = try await api.send(.get, "/v1/secret/metadata/a", token: api.admin)
            let data = try #require(found.body["data"])
            #expect(data["max_versions"]?.integer == 2)
            #expect(data["delete_version_after"]?.text == "1h30m0s")
            #expect(data["current_version"]?.integer == 4)
            #expect(data["oldest_version"]?.integer == 3)
            #expect(data["versions"]?.entries?.map(\.key) == ["3", "4"])
            #expect(data["versions"]?["4"]?["deletion_time"]?.text != "")
            #expect(data["custom_metadata"]?["owner"]?.text == "web")
            let patch = try await api.send(
                .patch,
                "/v1/secret/metadata/a",
                token: api.admin,
                body: #"{"custom_metadata":{"owner":null,"age":"1"}}"#,
                [("content-type", "application/merge-patch+json")]
            )
            #expect(patch.status == 204)
            let metadata = try await read(api, "a").body["data"]?["metadata"]
            #expect(metadata?["custom_metadata"]?.entries?.map(\.key) == ["age"])
            let none = try await api.send(
                .patch,
                "/v1/secret/metadata/none",
                token: api.admin,
                body: "{}",
                [("content-type", "application/merge-patch+json")]
            )
            #expect(none.status == 404)
            for body in [#"{"max_versions":1001}"#, #"{"custom_metadata":{"a":1}}"#] {
                #expect(try await post(api, "metadata/a", body).status == 400)
            }
            let gone = try await api.send(.delete, "/v1/secret/metadata/b", token: api.admin)
            #expect(gone.status == 204)
            #expect(try await list("") == ["a", "b!/", "b/"])
            let config = try await api.send(.get, "/v1/secret/config", token: api.admin)
            #expect(config.body["data"]?["delete_version_after"]?.text == "0s")
            #expect(try await api.control.secrets.verify())
        }
    }

    @Test func patchAndSubkeys() async throws {
        try await APIFixture.with { api in
            let type = [("content-type", "application/merge-patch+json")]
            func patch(
                _ body: String,
                _ fields: [(String, String)]
            ) async throws -> APIFixture.Reply {
                try await api.send(
                    .patch,
                    "/v1/secret/data/a",
                    token: api.admin,
                    body: body,
                    fields
                )
            }
            #expect(try await patch(#"{"data":{"x":1}}"#, type).status == 404)
            try await write(api, "a", #"{"keep":{"in":1},"drop":1}"#)
            #expect(try await patch(#"{"data":{"x":1}}"#, []).status == 400)
            let merged = try await patch(
                #"{"options":{"cas":1},"data":{"drop":null,"keep":{"more":2}}}"#,
                type
            )
            #expect(merged.body["data"]?["version"]?.integer == 2)
            let value = try await read(api, "a").body["data"]?["data"]
            #expect(try value == JSON.parse(#"{"keep":{"in":1,"more":2}}"#))
            let keys = try await api.send(.get, "/v1/secret/subkeys/a", token: api.admin)
            #expect(
                try keys.body["data"]?["subkeys"]
                    == JSON.parse(#"{"keep":{"in":null,"more":null}}"#)
            )
            let top = try await api.send(.get, "/v1/secret/subkeys/a?depth=1", token: api.admin)
            #expect(try top.body["data"]?["subkeys"] == JSON.parse(#"{"keep":null}"#))
        }
    }

    @Test func aNewSecretNeedsCreateAndAnOldOneUpdate() async throws {
        try await APIFixture.with { api in
            try await write(api, "team/old", "{}")
            for (name, fresh, old) in [("create", 200, 403), ("update", 403, 200)] {
                _ = try await api.send(
                    .put,
                    "/v1/policies/\(name)",
                    token: api.admin,
                    body: #"{"paths":{"secret/data/team/*":["\#(name)"]}}"#
                )
                let token = try await api.token(policies: [name])
                for (path, status) in [("new-\(name)", fresh), ("old", old)] {
                    let reply = try await api.send(
                        .post,
                        "/v1/secret/data/team/\(path)",
                        token: token,
                        body: #"{"data":{}}"#
                    )
                    #expect(reply.status == status, "\(name) \(path)")
                }
                let other = try await api.send(
                    .post,
                    "/v1/secret/data/other/x",
                    token: token,
                    body: #"{"data":{}}"#
                )
                #expect(other.status == 403)
            }
            #expect(try await read(api, "team/new-update").status == 404)
        }
    }

    @Test func whatIsNoSecretIsRefused() async throws {
        try await APIFixture.with { api in
            for body in ["", "{}", #"{"data":null}"#, #"{"data":1}"#, #"{"data":{}, "options":1}"#]
            {
                #expect(try await post(api, "data/a", body).status == 400, "\(body)")
            }
            let long = String(repeating: "a", count: Secrets.pathBytesMax + 1)
            #expect(try await write(api, long, "{}").status == 400)
            let big = String(repeating: "x", count: Secrets.valueBytesMax)
            #expect(try await write(api, "big", #"{"a":"\#(big)"}"#).status == 400)
            #expect(try await read(api, "big").status == 404)
            let mounts = try await api.send(
                .get,
                "/v1/sys/internal/ui/mounts/secret/a",
                token: api.admin
            )
            #expect(mounts.body["data"]?["options"]?["version"]?.text == "2")
        }
    }
}
