import Crypto
import Observability
package import Wire

/// How close to its end something that signs has come.
package enum LifeZone: String, Hashable, Sendable {
    case fresh
    /// 80 % of the life are over: a successor should be there.
    case late
    /// 90 % of the life are over.
    case critical
    case expired

    /// The zone of a share of a life, from 0 to 1 and beyond.
    package init(share: Double) {
        self = share >= 1 ? .expired : share >= 0.9 ? .critical : share >= 0.8 ? .late : .fresh
    }
}

extension Authority {
    /// What signs, with how much of its life is over.
    package func lives(at now: Timestamp) -> [(kind: String, notAfter: Timestamp, share: Double)] {
        [("root", root), ("intermediate", intermediate.certificate), ("api", apiRoot.certificate)]
            .map { kind, certificate in
                (kind, certificate.notAfter, AuthorityLifetimes.share(of: certificate, at: now))
            }
    }

    /// Shows in metrics how much of each life is over, and in the log what needs a successor.
    package func watchLives(_ control: ControlPlane) {
        for (kind, notAfter, share) in lives(at: control.now()) {
            control.metrics.gauge(MetricNames.authorityLifeUsed, labels: [kind])
                .set(Int64(min(max(share, 0), 10) * 100))
            let zone = LifeZone(share: share)
            guard zone != .fresh else { continue }
            control.logger.error(
                "a certificate authority nears its end: rotate it",
                [
                    "kind": .text(kind), "zone": .text(zone.rawValue),
                    "ends": .text(notAfter.rfc3339),
                ]
            )
        }
    }
}
