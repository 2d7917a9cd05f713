import Crypto
import DataPlane
import Mesh
import Snapshot
import Wire

/// One agent: its disk, its clock, the machine under test, and what it has ever enforced.
final class SimulatedAgent {
    let index: Int
    var disk: FakeDisk
    /// How far its clock is from the true one.
    var skew: Duration
    /// Counts its processes; work that an earlier one planned is void.
    var incarnation = 0
    var isRunning = false
    var isPartitioned = false
    /// Whether its files were spoiled since they were written last.
    var isDamaged = false
    var subscriber: Subscriber?
    var link: Link?
    let evidenceFiles = FakeEvidenceFiles()
    var spool: EvidenceSpool?
    var evidenceInFlight: UInt64?
    /// Decisions that are not on disk yet.
    var undurable: [UUIDv7] = []

    private(set) var enforced: ValidatedSnapshot?
    /// Nothing below this may ever be enforced again.
    private(set) var floor: Place?
    private var contents: [Place: SHA256Digest] = [:]
    private var everEnforced: Set<SHA256Digest> = []

    init(index: Int, trust: TrustAnchor, skew: Duration) {
        self.index = index
        self.skew = skew
        disk = FakeDisk(trust: trust)
    }

    /// The process is gone, with all it knew.
    func die() {
        incarnation += 1
        isRunning = false
        subscriber = nil
        enforced = nil
        spool = nil
    }

    /// Enforces a snapshot; gives what is wrong with that.
    func enforce(_ snapshot: ValidatedSnapshot, _ authority: Authority) -> String? {
        let hash = snapshot.manifest.hash
        guard let record = authority.signed[hash] else { return "an unsigned snapshot" }
        guard record.agent == index else { return "the snapshot of agent \(record.agent)" }
        if let floor, record.place < floor {
            return "revision \(record.place) after \(floor)"
        }
        let sections = snapshot.mark.sectionsHash
        guard contents[record.place] ?? sections == sections else {
            return "a fork at \(record.place)"
        }
        contents[record.place] = sections
        floor = record.place
        everEnforced.insert(hash)
        enforced = snapshot
        return nil
    }

    /// Whether the one pair that leads here is let in now.
    func isAllowed(_ fixture: Fixture, now: Timestamp) -> Bool {
        guard let enforced else { return false }
        let ruling = enforced.decide(
            name: meshName(fixture.services[index], in: fixture.trustDomain),
            source: SourceIdentity(trustDomain: fixture.trustDomain, service: fixture.source),
            question: .connection(requestsAreJudged: false),
            now: now + skew
        )
        return ruling.isAllowed
    }

    /// What is wrong with an acknowledgement that is about to be sent.
    func fault(in acknowledgement: Acknowledgement) -> String? {
        guard acknowledgement.errors.isEmpty, let mark = acknowledgement.mark else { return nil }
        let place = Place(epoch: mark.epoch, revision: mark.revision)
        guard everEnforced.contains(mark.manifestHash), let floor, floor >= place,
            let held = enforced?.mark.revision, held >= mark.revision || floor.epoch > mark.epoch
        else { return "acknowledged \(place), enforced \(floor.map { "\($0)" } ?? "nothing")" }
        return nil
    }
}
