import Crypto
import Testing
import Wire

struct VerifiedLeafCacheTests {
    let pki: MeshPKI
    let leaf: Certificate
    let identity: SVIDValidator.Identity

    init() throws {
        pki = try MeshPKI()
        leaf = try pki.leaf()
        identity = try SVIDValidator(
            trustDomain: MeshPKI.trustDomain,
            roots: [pki.root.certificate]
        ).validate(leaf, pki.question())
    }

    @Test func anEntryEndsWithItsPath() {
        var cache = VerifiedLeafCache(capacity: 8)
        cache.insert(identity, for: leaf.fingerprint, role: .server)
        func found(_ role: PeerRole, _ time: Timestamp) -> Bool {
            cache.identity(of: leaf.fingerprint, role: role, at: time) != nil
        }
        #expect(found(.server, pki.now))
        #expect(!found(.client, pki.now))
        #expect(found(.server, leaf.notAfter))
        #expect(!found(.server, leaf.notAfter + .seconds(1)))
        #expect(!found(.server, pki.now))
    }

    @Test func aClockThatGoesBackFindsNothing() {
        var cache = VerifiedLeafCache(capacity: 8)
        cache.insert(identity, for: leaf.fingerprint, role: .server)
        let early = leaf.notBefore - .seconds(1)
        #expect(cache.identity(of: leaf.fingerprint, role: .server, at: early) == nil)
    }

    @Test func flushForgetsAll() {
        var cache = VerifiedLeafCache(capacity: 8)
        cache.insert(identity, for: leaf.fingerprint, role: .server)
        cache.flush()
        #expect(cache.count == 0)
        #expect(cache.identity(of: leaf.fingerprint, role: .server, at: pki.now) == nil)
    }

    @Test func holdsNoMoreThanItsCapacityAndKeepsWhatIsUsed() {
        var cache = VerifiedLeafCache(capacity: 10)
        let used = SHA256.digest(of: [0])
        cache.insert(identity, for: used, role: .server)
        for index in 1...100 {
            cache.insert(identity, for: SHA256.digest(of: [UInt8(index)]), role: .server)
            #expect(cache.count <= 10)
            #expect(cache.identity(of: used, role: .server, at: pki.now) == identity)
        }
    }
}
