import Control
import Crypto
import Foundation
import Mesh
import Snapshot
import Testing
import Wire

@testable import turnpike_server

@Suite struct TrustCommandTests {
    private let path: String
    private let made: FoundedAuthority

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/turnpike-trust-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        made = try FoundedAuthority.found(
            try TrustDomain("example.org"),
            now: Timestamp(secondsSinceEpoch: 1_900_000_000),
            randomBytes: Randomness.bytes
        )
    }

    private func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        _ = FileManager.default.createFile(
            atPath: file,
            contents: Data(text.utf8),
            attributes: [.posixPermissions: 0o600]
        )
        return file
    }

    private func proposal(_ next: TrustDocument?) throws -> String {
        let document = Document.fields([
            "current": .string(Base64.encode(made.trust.envelope.encoded)),
            "next": next.map { .string(Base64.encode($0.encoded)) },
        ])
        return try write("proposal.json", String(decoding: JSON.pretty(document), as: UTF8.self))
    }

    private func signed() throws -> Envelope {
        let data = try #require(FileManager.default.contents(atPath: "\(path)/signed.json"))
        return try Envelope(encoded: [UInt8](data))
    }

    @Test func aProposalIsSignedByWhoHoldsTheTrustKey() throws {
        let key = try write("trust.key", try made.trustKey.pem())
        let next = try #require(
            try made.trust.document.applying([.raiseEpoch], at: Timestamp(secondsSinceEpoch: 7))
        )
        let file = try proposal(next)
        let rest = ["--proposal", file, "--out", "\(path)/signed.json", "--trust-key"]
        let other = try write("other.key", try SigningKey.generate(.ed25519).pem())
        #expect(throws: StartFailure.self) { try TrustCommand.perform(["sign"] + rest + [other]) }
        #expect(!FileManager.default.fileExists(atPath: "\(path)/signed.json"))
        try TrustCommand.perform(["sign"] + rest + [key])
        #expect(try made.trust.succeeded(by: try signed()).document == next)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A server that somebody took over says what holds: with keys of its own beside the real one.
    @Test func whatNoneOfTheKeysHasSignedIsNotTakenForWhatHolds() throws {
        let key = try write("trust.key", try made.trustKey.pem())
        let thief = try SigningKey.generate(.ed25519)
        var forged = made.trust.document
        forged.trustKeys.append(thief.publicKey)
        let next = try #require(
            try forged.applying([.raiseEpoch], at: Timestamp(secondsSinceEpoch: 7))
        )
        let envelope = try forged.signed(by: [thief])
        let document = Document.fields([
            "current": .string(Base64.encode(envelope.encoded)),
            "next": .string(Base64.encode(next.encoded)),
        ])
        let file = try write(
            "forged.json",
            String(decoding: JSON.pretty(document), as: UTF8.self)
        )
        let rest = ["sign", "--proposal", file, "--out", "\(path)/signed.json", "--trust-key", key]
        let refused = #expect(throws: StartFailure.self) { try TrustCommand.perform(rest) }
        #expect(refused.map { "\($0)" }?.contains("--current-hash") == true)
        let real = made.trust.hash.hex
        #expect(throws: StartFailure.self) {
            try TrustCommand.perform(rest + ["--current-hash", real])
        }
        #expect(!FileManager.default.fileExists(atPath: "\(path)/signed.json"))
        try? FileManager.default.removeItem(atPath: path)
    }

    @Test func otherTrustKeysAreMadeAndBothSidesSign() throws {
        let key = try write("trust.key", try made.trustKey.pem())
        let file = try proposal(nil)
        try TrustCommand.perform([
            "replace-keys", "--current", file, "--trust-key", key, "--new-trust-key",
            "\(path)/one.key", "--new-trust-key", "\(path)/two.key", "--threshold", "2", "--out",
            "\(path)/signed.json",
        ])
        let anchor = try made.trust.succeeded(by: try signed())
        #expect(anchor.document.threshold == 2 && anchor.document.trustKeys.count == 2)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(path)/one.key")
        #expect(mode[.posixPermissions] as? Int == 0o600)
        #expect(throws: StartFailure.self) {
            try TrustCommand.perform(["sign", "--proposal", file, "--trust-key", key, "--out", "x"])
        }
        try? FileManager.default.removeItem(atPath: path)
    }
}
