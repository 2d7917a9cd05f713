import Crypto
import Mesh
import Support
import Testing
import Wire

@testable import Snapshot

@Suite struct RevocationsTests {
    @Test func theListHasOneOrderWhateverTheOneItWasGivenIn() throws {
        let end = Timestamp(secondsSinceEpoch: 1_900_000_000)
        let section = RevocationsSection(
            serials: [[9], [1, 2], [9], [1]],
            cutoffs: [try ServiceName("web"): end, try ServiceName("db"): end]
        )
        #expect(section.serials == [[1], [1, 2], [9]])
        let encoded = try EncodedSection(checking: .revocations(section))
        #expect(try SectionContent(encoded: encoded.bytes) == .revocations(section))
        #expect(encoded.reference.name == "mesh" && encoded.reference.kind == .revocations)
    }

    @Test(arguments: [
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":["02","01"]}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":["01","01"]}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":["0A"]}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":["0"]}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":["\#(String(repeating: "0", count: 42))"]}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1}"#,
        #"{"cutoffs":[],"kind":"revocations","schema":1,"serials":[],"since":1}"#,
        #"{"kind":"revocations","schema":1,"serials":[]}"#,
        #"{"cutoffs":[{"service":"default/web"}],"kind":"revocations","schema":1,"serials":[]}"#,
        #"{"cutoffs":[{"service":"default/web","until":"2030-03-17T17:46:40Z"},{"service":"default/db","until":"2030-03-17T17:46:40Z"}],"kind":"revocations","schema":1,"serials":[]}"#,
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

    /// A connection lives on behind its certificate, whose serial number nobody lists any more.
    @Test func whatOutlivedACertificateOfTheServiceIsOut() throws {
        let (web, end) = (try ServiceName("web"), Timestamp(secondsSinceEpoch: 1_900_000_000))
        let revocations = Revocations(RevocationsSection(serials: [], cutoffs: [web: end]))
        #expect(!revocations.isEmpty)
        #expect(revocations.contains(outlived: web, endedAt: end))
        #expect(revocations.contains(outlived: web, endedAt: end - .seconds(9_000)))
        // Of a certificate that was issued after the service was allowed again.
        #expect(!revocations.contains(outlived: web, endedAt: end + .seconds(1)))
        #expect(!revocations.contains(outlived: try ServiceName("db"), endedAt: end))
        #expect(Revocations.unknown.contains(outlived: web, endedAt: end))
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
