import Foundation
import Testing
import Wire

/// Every suite about cryptography against cases that another implementation made.
///
/// The cases come from `make_cases.py` beside this file, which needs the Python package
/// `cryptography`; without it the tests say so and are skipped.
struct IndependentCaseTests {
    @Test(
        .enabled(if: Generator.isThere, "python3 with the package 'cryptography' is not installed"),
        arguments: [
            "aesgcm", "hmac", "hkdf", "ecdsa", "ecdsa-p1363", "ecdsa384", "ed25519", "rsa",
            "rsapss", "x509", "spiffe", "merkle-inclusion", "merkle-consistency", "jws", "jwk",
        ]
    )
    func agrees(suite: String) throws {
        let cases = try Generator.run([Generator.script, suite])
        let answers = try Conformance.answers(suite: suite, cases: cases)
        let questions = try documents(in: cases)
        #expect(questions.count >= 40)
        #expect(answers.count == questions.count)
        for question in questions {
            let id = try #require(question["id"]?.text)
            let label = question["label"]?.text ?? id
            let answer = try #require(answers[id])
            let comment = "\(suite): \(label), \(answer["reason"]?.text ?? "no reason")"
            #expect(answer["result"]?.text == question["expected"]?.text, "\(comment)")
            for field in ["okm", "plaintext", "spiffe_id"] {
                guard let expected = question["expected_\(field)"]?.text else { continue }
                #expect(answer[field]?.text == expected, "\(comment)")
            }
        }
    }
}

/// The `turnpike-conformance` that was built beside these tests.
enum Conformance {
    static func answers(suite: String, cases: Data) throws -> [String: Document] {
        let tests = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let program = tests.appending(path: "turnpike-conformance")
        let output = try Generator.run(program.path(), [suite], input: cases)
        var answers: [String: Document] = [:]
        for document in try documents(in: output) {
            let id = try #require(document["id"]?.text)
            #expect(answers.updateValue(document, forKey: id) == nil, "answered twice: \(id)")
        }
        return answers
    }
}

/// The Python that makes the cases.
enum Generator {
    static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "make_cases.py").path()

    static let isThere: Bool = {
        let output = try? run(["-c", "import cryptography; print('there')"])
        return output == Data("there\n".utf8)
    }()

    static func run(_ arguments: [String]) throws -> Data {
        try run("/usr/bin/env", ["python3", "-W", "ignore", "-B"] + arguments, input: Data())
    }

    static func run(_ path: String, _ arguments: [String], input: Data) throws -> Data {
        // Files instead of pipes: neither side can block the other.
        let directory = FileManager.default.temporaryDirectory
        let name = UUID().uuidString
        let (source, sink) = (
            directory.appending(path: "\(name).in"), directory.appending(path: "\(name).out")
        )
        defer {
            try? FileManager.default.removeItem(at: source)
            try? FileManager.default.removeItem(at: sink)
        }
        try input.write(to: source)
        try Data().write(to: sink)
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = try FileHandle(forWritingTo: sink)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw ProgramError(path: path) }
        return try Data(contentsOf: sink)
    }

    struct ProgramError: Error {
        let path: String
    }
}

private func documents(in lines: Data) throws -> [Document] {
    try lines.split(separator: 0x0A).map { line in
        try JSON.parse(
            Array(line),
            source: "case",
            limits: DocumentLimits(bytes: .mebibytes(2), depth: 8, nodes: 100_000)
        )
    }
}
