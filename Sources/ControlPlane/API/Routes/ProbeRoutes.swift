import Control
import HTTP
import Mesh
import Observability
import Wire

/// What load balancers, monitors and generators of clients ask without a token, and the metrics.
package enum ProbeRoutes {
    /// The probes, given what readiness means here.
    package static func routes(_ services: APIServices) -> [Route] {
        [
            Route(
                .get,
                "/livez",
                "getLiveness",
                room: "probes",
                "Does the process run",
                access: .open
            ) { _ throws(ControlError) in Answer(Document.fields(["status": .string("live")])) }
            .answering(.object([.readOnly("status", .text(), "live")])),
            Route(
                .get,
                "/readyz",
                "getReadiness",
                room: "probes",
                "Does this replica take requests; 503 with the reasons where it does not",
                access: .open
            ) { _ throws(ControlError) in await readiness(services.readiness) }
            .answering(
                .object([
                    .readOnly("status", .text(allowed: ["ready", "not ready"]), "The verdict"),
                    .readOnly("checks", .textMap, "Each check with `ok` or its problem"),
                ])
            ),
            Route(
                .get,
                "/metrics",
                "getMetrics",
                room: "probes",
                "Prometheus metrics",
                access: .resource(.read) { _ throws(ControlError) in "metrics" }
            ) { _ throws(ControlError) in
                var answer = Answer(.null)
                answer.text = (Array(services.metrics().utf8), MetricRegistry.prometheusContentType)
                return answer
            }
            .answering(.text()),
        ]
    }

    private static func readiness(_ checks: [APIServices.ReadinessCheck]) async -> Answer {
        var results: [String: Document] = [:]
        var isReady = true
        for check in checks {
            let problem = await check.problem()
            results[check.name] = .string(problem ?? "ok")
            if problem != nil { isReady = false }
        }
        return Answer(
            Document.fields([
                "status": .string(isReady ? "ready" : "not ready"),
                "checks": .map(results),
            ]),
            status: isReady ? .ok : .serviceUnavailable
        )
    }
}
