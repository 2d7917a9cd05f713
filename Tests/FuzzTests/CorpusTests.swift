import Foundation
import Support
import Testing

@testable import turnpike_fuzz

/// The inputs that fuzzing has kept, judged again on every run.
@Suite struct CorpusTests {
    private static let folder = Repository.top.appending(path: "Tests/Corpora")

    private func inputs(_ target: FuzzTarget) throws -> [[UInt8]] {
        let file = Self.folder.appending(path: "\(target.name).txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            Array(try #require(Data(base64Encoded: String($0))))
        }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func everyInputIsInOrder(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = try inputs(target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            let fault = target.fault(input)
            #expect(fault == nil, "\(Data(input).base64EncodedString())")
        }
    }

    /// What nobody reads would rot.
    @Test func everyCorpusHasItsTarget() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(FuzzTarget.all.map { "\($0.name).txt" }))
    }

    /// Cut, lengthened and with bits turned: what is close to valid is where parsers break.
    @Test(arguments: FuzzTarget.all.map(\.name))
    func damagedInputsAreInOrderToo(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        var random = SeededGenerator(state: UInt64(name.utf8.count))
        for input in try inputs(target).prefix(40) where !input.isEmpty {
            for _ in 0..<8 {
                var bytes = input
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes.removeSubrange(place...)
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                default: bytes.insert(contentsOf: input.suffix(place), at: place)
                }
                let fault = target.fault(bytes)
                #expect(fault == nil, "\(Data(bytes).base64EncodedString())")
            }
        }
    }
}
