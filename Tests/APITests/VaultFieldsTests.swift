import API
import Control
import Testing
import Wire

/// Bodies as clients of Vault write them.
@Suite struct VaultFieldsTests {
    private func fields(_ text: String) throws -> VaultFields {
        VaultFields(try JSON.parse(text))
    }

    @Test func whatIsWrittenLooselyIsRead() throws {
        let fields = try fields(
            """
            {"n": "3", "i": 4, "yes": "true", "no": 0, "ttl": "1h", "seconds": 90, "text": 7,
             "list": "a, b", "items": ["a"], "versions": ["1", 2], "nothing": null, "empty": "",
             "map": {"a": "b"}}
            """
        )
        #expect(try fields.integer("n", in: 0...9) == 3)
        #expect(try fields.integer("i", in: 0...9) == 4)
        #expect(try fields.flag("yes") == true)
        #expect(try fields.flag("no") == false)
        #expect(try fields.duration("ttl") == .seconds(3_600))
        #expect(try fields.duration("seconds") == .seconds(90))
        #expect(try fields.duration("empty") == nil)
        #expect(try fields.text("text") == "7")
        #expect(try fields.texts("list") == ["a", "b"])
        #expect(try fields.texts("items") == ["a"])
        #expect(try fields.integers("versions", in: 1...9) == [1, 2])
        #expect(try fields.integers("n", in: 1...9) == [3])
        #expect(try fields.text("nothing") == nil)
        #expect(fields.value("nothing") == nil)
        #expect(try fields.map("map")?["a"]?.text == "b")
        #expect(try fields.texts("absent") == nil)
    }

    @Test func whatIsWrongNamesItsField() throws {
        let fields = try fields(
            #"{"n": "x", "flag": "maybe", "ttl": "-1s", "list": [1], "map": [], "big": 99}"#
        )
        let refusals: [(String, () throws -> Void)] = [
            ("n", { _ = try fields.integer("n", in: 0...9) }),
            ("big", { _ = try fields.integer("big", in: 0...9) }),
            ("flag", { _ = try fields.flag("flag") }),
            ("ttl", { _ = try fields.duration("ttl") }),
            ("list", { _ = try fields.texts("list") }),
            ("map", { _ = try fields.map("map") }),
            ("map", { _ = try fields.text("map") }),
            ("absent", { _ = try fields.requiredText("absent") }),
        ]
        for (name, read) in refusals {
            #expect {
                try read()
            } throws: { error in
                (error as? ControlError)?.description.hasPrefix("\(name): ") == true
            }
        }
        #expect(throws: ControlError.self) { try self.fields(#"{"accessor":"x"}"#).accessor() }
    }
}
