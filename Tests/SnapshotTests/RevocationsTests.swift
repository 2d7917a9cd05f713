import Crypto
import Mesh
import Support
import Testing
import Wire

@testable import Snapshot

@Suite struct RevocationsTests {
    @Test func theListHasOneOrderWhateverTheOneItWasGivenIn() throws {
        let section = RevocationsSection(serials: [[9], [1, 2], [9], [1]])
        #expect(section.serials == [[1], [1, 2], [9]])
        let encoded = try EncodedSection(checking: .revocations(section))
        #expect(try SectionContent(encoded: encoded.bytes) == .revocations(section))
        #expect(encoded.reference.name == "mesh" && encoded.reference.kind == .revocations)
    }

    @Test(arguments: [
        #"{"kind":"revocations","schema":1,"serials":["02","01"]}"#,
        #"{"kind":"revocations","schema":1,"serials":["01","01"]}"#,
        #"{"kind":"revocations","schema":1,"serials":["0A"]}"#,
        #"{"kind":"revocations","schema":1,"serials":["0"]}"#,
        #"{"kind":"revocations","schema":1,"serials":["\#(String(repeating: "0", count: 42))"]}"#,
        #"{"kind":"revocations","schema":1}"#,
        #"{"kind":"revocations","schema":1,"serials":[],"since":1}"#,
    ])
    func anyOtherSpellingIsRefused(_ text: String) {
        #expect(throws: SnapshotFormatError.self) { try SectionContent(encoded: Array(text.utf8)) }
    }

    @Test func onlyWhatIsListedIsRevoked() {
        let revocations = Revocations(RevocationsSection(serials: [[1, 2]]))
        #expect(revocations.contains([1, 2]))
        #expect(!revocations.contains([1]) && !revocations.contains([1, 2, 3]))
        #expect(Revocations.none.isEmpty && !Revocations.none.contains([1, 2]))
    }

    @Test func aListThatTheServerCouldNotWriteRevokesEverything() throws {
        let mesh = try TestMesh(now: Timestamp(secondsSinceEpoch: 1_900_000_000))
        let snapshot = try mesh.snapshot(
            for: try AgentName("host-1"),
            [.denied(DeniedSection(replaced: .revocations, name: "mesh", reason: "too long"))]
        ).snapshot
        #expect(snapshot.revocations == .unknown)
        #expect(snapshot.revocations.contains([7]))
    }

    @Test func aRootThatLeftInGoodOrderIsToldFromOneThatIsDistrusted() throws {
        let mesh = try TestMesh(now: Timestamp(secondsSinceEpoch: 1_900_000_000))
        var document = mesh.trust.document
        let other = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: Array(repeating: 3, count: 16),
                notBefore: mesh.now,
                notAfter: mesh.now + .seconds(60),
                subject: DistinguishedName(commonName: "other"),
                purpose: .root
            ),
            key: .generate(.ecdsaP256)
        ).certificate
        let (old, new) = (mesh.root.certificate.fingerprint, other.fingerprint)
        let replacement = TrustDocument.Authority(certificate: other.encoded, state: .active)
        document.authorities[0].state = .retiring
        document.authorities.append(replacement)
        var planned = TrustedRoots(mesh.trust.document)
        #expect(planned.verdict(on: old.bytes) == .trusted && !planned.isLeaving(old))
        planned.follow(document)
        #expect(planned.verdict(on: old.bytes) == .trusted && planned.isLeaving(old))
        #expect(planned.verdict(on: new.bytes) == .trusted)
        document.authorities = [replacement]
        planned.follow(document)
        #expect(planned.verdict(on: old.bytes) == .retired)
        var stolen = TrustedRoots(mesh.trust.document)
        stolen.follow(document)
        #expect(stolen.verdict(on: old.bytes) == .distrusted)
        #expect(stolen.verdict(on: []) == .distrusted)
    }
}
