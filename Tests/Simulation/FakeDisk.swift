import Crypto
import Snapshot

/// The files of one agent: a write is there as a whole or not at all, as the real driver's is.
struct FakeDisk {
    /// How a series of writes ended.
    enum Outcome: Equatable {
        case durable
        /// The disk refused; the process lives.
        case failed
        /// The process was killed in the middle.
        case killed
    }

    private(set) var files: [String: [UInt8]] = [:]

    init(trust: TrustAnchor) {
        files[SnapshotFiles.trustName] = trust.envelope.encoded
    }

    /// Performs steps until the one at which something happens.
    mutating func perform(
        _ steps: [SnapshotFiles.Step],
        stoppingAt stop: (step: Int, outcome: Outcome)?
    ) -> Outcome {
        for (index, step) in steps.enumerated() {
            if let stop, stop.step == index { return stop.outcome }
            switch step {
            case .write(let name, let bytes): files[name] = bytes
            case .remove(let name): files[name] = nil
            }
        }
        return .durable
    }

    /// Spoils a file while nobody runs: a bit flips, the end is cut off, or it is gone.
    mutating func damage(_ name: String, _ random: inout SeededRandom) {
        guard var bytes = files[name], !bytes.isEmpty else { return }
        switch random.number(below: 3) {
        case 0:
            bytes[random.number(below: bytes.count)] ^= 1 << UInt8(random.number(below: 8))
            files[name] = bytes
        case 1: files[name] = Array(bytes.prefix(random.number(below: bytes.count)))
        default: files[name] = nil
        }
    }
}
