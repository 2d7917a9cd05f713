import Mesh
import Testing

@Suite struct PathCanonicalizerTests {
    private func canonical(_ path: String) throws(PathRefusal) -> String {
        String(
            decoding: try PathCanonicalizer.canonicalize(path: Array(path.utf8)),
            as: UTF8.self
        )
    }

    @Test(arguments: [
        ("/", "/"), ("/a", "/a"), ("/a/", "/a/"), ("//a", "/a"), ("/a//b", "/a/b"),
        ("/a/./b", "/a/b"), ("/a/.", "/a/"), ("/a/..", "/"), ("/a/../b", "/b"), ("/..", "/"),
        ("/../../b", "/b"), ("/a/b/../..", "/"), ("/a//../b", "/b"), ("/%61", "/a"),
        ("/%7euser", "/~user"), ("/a%2e%2e", "/a.."), ("/a/%2e%2E/b", "/b"), ("/a/%2e/b", "/a/b"),
        ("/.%2e/admin", "/admin"), ("/%c3%a4", "/%C3%A4"), ("/a%20b", "/a%20b"),
        ("/%252e%252e/a", "/%252e%252e/a"), ("/a%3fb", "/a%3Fb"), ("/a%23b", "/a%23b"),
        ("/a%3bb", "/a%3Bb"), ("/...", "/..."), ("/a...b", "/a...b"), ("/A", "/A"),
        ("/!$&'()*+,=:@", "/!$&'()*+,=:@"), ("/%25", "/%25"), ("/a/b/", "/a/b/"),
        ("/public/%2e%2e/admin", "/admin"), ("/public/..//admin", "/admin"),
        ("///admin///", "/admin/"), ("/x/../../admin", "/admin"), ("/%61dmin", "/admin"),
        ("/./admin", "/admin"), ("/%2561dmin", "/%2561dmin"),
    ])
    func canonicalForms(path: String, expected: String) throws {
        let result = try canonical(path)
        #expect(result == expected)
        #expect(try canonical(result) == result)
    }

    @Test(arguments: [
        ("", PathRefusal.notAbsolute), ("a", .notAbsolute), ("*", .notAbsolute),
        ("http://h/admin", .notAbsolute), ("/a\\b", .backslash), ("/..\\admin", .backslash),
        ("/a%5cb", .encodedBackslash), ("/a%5C..", .encodedBackslash), ("/a%2fb", .encodedSlash),
        ("/..%2Fadmin", .encodedSlash), ("/%2e%2e%2fadmin", .encodedSlash),
        ("/a%00", .encodedControlByte), ("/admin%0a", .encodedControlByte),
        ("/a%7f", .encodedControlByte), ("/a\u{01}", .controlByte), ("/a\0", .controlByte),
        ("/a#b", .fragment), ("/a;b", .segmentParameters), ("/..;/admin", .segmentParameters),
        ("/admin;x=1", .segmentParameters), ("/a%", .malformedEscape), ("/a%2", .malformedEscape),
        ("/a%zz", .malformedEscape), ("/a%u002f", .malformedEscape), ("/a b", .wrongCharacter),
        ("/ä", .wrongCharacter), ("/a\"", .wrongCharacter), ("/<a>", .wrongCharacter),
        ("/%c0%af", .invalidUTF8), ("/%c0%ae%c0%ae/admin", .invalidUTF8),
        ("/%e0%80%af", .invalidUTF8), ("/%ff", .invalidUTF8), ("/%c3", .invalidUTF8),
        ("/%c3a%a4", .invalidUTF8), ("/%ed%a0%80", .invalidUTF8), ("/%f5%80%80%80", .invalidUTF8),
    ])
    func waysAroundAreRefused(path: String, refusal: PathRefusal) {
        #expect(throws: refusal) { try canonical(path) }
    }

    @Test func rawInvalidBytesAreRefused() {
        #expect(throws: PathRefusal.wrongCharacter) {
            try PathCanonicalizer.canonicalize(path: [0x2F, 0xC0, 0xAF])
        }
    }

    @Test func lengthIsBounded() throws {
        let longest = [UInt8(ascii: "/")] + Array(repeating: UInt8(ascii: "a"), count: 8191)
        #expect(try PathCanonicalizer.canonicalize(path: longest) == longest)
        #expect(throws: PathRefusal.tooLong) {
            try PathCanonicalizer.canonicalize(path: longest + [UInt8(ascii: "a")])
        }
    }

    @Test func theQueryIsCutOffAtTheFirstMark() throws {
        let result = try PathCanonicalizer.canonicalize(target: Array("/a/../b?x=/../y?z".utf8))
        #expect(result.path == Array("/b".utf8))
        #expect(result.query == Array("x=/../y?z".utf8))
        #expect(try PathCanonicalizer.canonicalize(target: Array("/a".utf8)).query == nil)
        #expect(try PathCanonicalizer.canonicalize(target: Array("/a?".utf8)).query == [])
        #expect(throws: PathRefusal.fragment) {
            try PathCanonicalizer.canonicalize(target: Array("/a?b#c".utf8))
        }
        #expect(throws: PathRefusal.controlByte) {
            try PathCanonicalizer.canonicalize(target: Array("/a?b c".utf8))
        }
    }

    /// Whatever is accepted is a fixed point and holds nothing that is read in two ways.
    @Test func acceptedPathsAreFixedPoints() throws {
        var generator = SeededGenerator(seed: 7)
        let alphabet = [
            "/", "/", ".", "..", "%2e", "%2F", "a", "%41", "%c3%a4", ";", "\\", "%", "//",
        ]
        for _ in 0..<20_000 {
            let path =
                "/"
                + (0..<Int.random(in: 0...10, using: &generator))
                .map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }.joined()
            guard let once = try? canonical(path) else { continue }
            #expect(try canonical(once) == once)
            let segments = once.split(separator: "/")
            #expect(!segments.contains(".") && !segments.contains(".."))
            #expect(!once.contains("//") && !once.contains("\\"))
        }
    }
}
