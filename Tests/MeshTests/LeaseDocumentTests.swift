import Mesh
import Testing
import Wire

/// Targets and profiles as people write them.
@Suite struct LeaseDocumentTests {
    private func target(_ json: String) throws -> LeaseTarget {
        let value = FieldValue(try JSON.parse(json, source: "test"))
        return try value.map { reader throws(FieldError) in
            let name: TargetName
            do { name = try TargetName("orders") } catch { throw value.error("\(error)", hint: "") }
            return try LeaseTarget(name: name, from: &reader, at: value)
        }
    }

    private func profile(_ json: String) throws -> LeaseProfile {
        let value = FieldValue(try JSON.parse(json, source: "test"))
        return try value.map { reader throws(FieldError) in
            let name: ProfileName
            do { name = try ProfileName("reader") } catch {
                throw value.error("\(error)", hint: "")
            }
            return try LeaseProfile(name: name, from: &reader, at: value)
        }
    }

    private func problem<Value>(_ body: () throws -> Value) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? FieldError)?.path
        }
    }

    @Test func targetIsReadBack() throws {
        let read = try target(
            #"{"host":"localhost","port":5433,"database":"app","username":"u","allowed_profiles":["a*"],"leases_max":7}"#
        )
        #expect(read.security == .plain)
        var document = read.document
        document.set("name", nil)
        let again = try target(
            String(decoding: JSON.canonical(document), as: UTF8.self)
                .replacing(#""name":null,"#, with: "")
        )
        #expect(again == read)
    }

    @Test(arguments: [
        (#"{"host":"db.example.com","database":"app","username":"u"}"#, "tls.mode"),
        (#"{"host":"10.1.2.3","database":"app","username":"u","tls":{"mode":"none"}}"#, "tls.mode"),
        (
            #"{"host":"db.example.com","database":"app","username":"u","tls":{"mode":"verify"}}"#,
            "tls"
        ),
        (#"{"host":"localhost","port":0,"database":"app","username":"u"}"#, "port"),
        (#"{"host":"localhost","database":"","username":"u"}"#, "database"),
        (#"{"host":"localhost","database":"app","username":"u","password2":"x"}"#, "password2"),
        (
            #"{"host":"/run/x","database":"app","username":"u","tls":{"mode":"verify","ca":""}}"#,
            "tls.mode"
        ),
        (#"{"host":"0.0.0.0","database":"app","username":"u"}"#, "host"),
    ])
    func unfitTargetsAreRefused(json: String, field: String) {
        #expect(problem { try target(json) } == field)
    }

    @Test func globsSayWhichProfilesATargetAllows() throws {
        var target = try target(#"{"host":"localhost","database":"app","username":"u"}"#)
        let reader = try ProfileName("app-reader")
        #expect(target.allows(reader))
        for (globs, isAllowed) in [
            (["app-reader"], true), (["app-*"], true), (["*-reader"], true), (["a*p*der"], true),
            ([], false), (["app"], false), (["*x*"], false), (["app-reader-*"], false),
            ([""], false),
            (["app-reader*reader"], false),
        ] {
            target.allowedProfiles = globs
            #expect(target.allows(reader) == isAllowed, "\(globs)")
        }
    }

    @Test func profileIsReadBack() throws {
        for json in [
            #"{"target":"orders","group_role":"app","owner_role":"own","settings":{"lock_timeout":"1s"},"connection_limit":3,"default_ttl":"2m","max_ttl":"5m","leases_max":9}"#,
            #"{"target":"orders","creation_statements":["CREATE ROLE {{name}}"],"revocation_statements":[]}"#,
        ] {
            let read = try profile(json)
            let document = String(decoding: JSON.canonical(read.document), as: UTF8.self)
            #expect(try profile(document.replacing(#""name":"reader","#, with: "")) == read)
        }
        #expect(try profile(#"{"target":"orders","group_role":"app"}"#).defaultTTL == .seconds(900))
        #expect(
            try profile(#"{"target":"orders","group_role":"app","max_ttl":"60s"}"#).defaultTTL
                == .seconds(60)
        )
    }

    @Test(arguments: [
        (#"{"target":"orders"}"#, "group_role"),
        (#"{"target":"orders","group_role":"pg_read_all_data"}"#, "group_role"),
        (#"{"target":"orders","group_role":"app","owner_role":"tp_x"}"#, "owner_role"),
        (#"{"target":"orders","group_role":"app","settings":{"role":"x"}}"#, "settings.role"),
        (#"{"target":"orders","group_role":"app","settings":{"a b":"x"}}"#, "settings.a b"),
        (#"{"target":"orders","group_role":"app","connection_limit":0}"#, "connection_limit"),
        (#"{"target":"orders","group_role":"app","max_ttl":"2h"}"#, "max_ttl"),
        (
            #"{"target":"orders","group_role":"app","default_ttl":"10m","max_ttl":"5m"}"#,
            "default_ttl"
        ),
        (#"{"target":"orders","creation_statements":[]}"#, "creation_statements"),
        (#"{"target":"orders","creation_statements":["SELECT 1"]}"#, "creation_statements"),
        (
            #"{"target":"orders","creation_statements":["CREATE ROLE {{nam}}"]}"#,
            "creation_statements"
        ),
        (#"{"target":"orders","group_role":"app","revocation_statements":["x"]}"#, ""),
    ])
    func unfitProfilesAreRefused(json: String, field: String) {
        #expect(problem { try profile(json) } == field)
    }
}
