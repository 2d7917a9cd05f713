package import Control
import HTTP
import Mesh
import Wire

/// Replacing what signs, and the trust document by which agents learn of it.
package enum RotationRoutes {
    private static let force: Schema.Field = .optional(
        "force",
        .boolean,
        "Go on without agents that have not acknowledged; the answer and the audit trail name them"
    )
    private static let behind: Schema.Field = .readOnly(
        "not_acknowledged",
        .list(.text()),
        "Enrolled agents that do not hold what this relies on"
    )
    private static let differences: Schema.Field = .readOnly(
        "differences",
        .list(.text()),
        "What it does otherwise, a line each"
    )

    /// Takes steps, shows the trust document and takes a new one.
    package static func routes(_ mesh: MeshRooms) -> [Route] {
        [step(mesh.rotations), show(mesh.trust), submit(mesh.trust)]
    }

    private static func step(_ rotations: Rotations) -> Route {
        Route(
            .post,
            "/v1/ca/rotations/{subject}/{step}",
            "takeRotationStep",
            room: "authority",
            "Takes one step of replacing a snapshot key, the root or the intermediate",
            access: .resource(.update) { request throws(ControlError) in
                // Who may not is told no more, so what the word means is asked later.
                "ca/rotations/\(request.capture("subject"))"
            }
        ) { request throws(ControlError) in
            let outcome = try await rotations.take(
                try step(request),
                of: try subject(request),
                force: try readForce(request),
                by: request.caller
            )
            return Answer(
                .fields([
                    "summary": .string(outcome.summary),
                    "proposal": outcome.encodedProposal.map { .string(Base64.encode($0)) },
                    "differences": .list(outcome.differences),
                    "not_acknowledged": .list(outcome.notAcknowledged.map(\.text)),
                ])
            )
        }
        .taking(.object([force]))
        .answering(
            .object([
                .readOnly("summary", .text(), "What was done and what comes next"),
                .readOnly("proposal", .text(), "The next trust document, Base64, to be signed"),
                differences, behind,
            ])
        )
    }

    private static func show(_ trust: TrustSubmission) -> Route {
        Route(
            .get,
            "/v1/ca/trust",
            "getTrustDocument",
            room: "authority",
            "The trust document that holds, as it was signed, and who has not acknowledged it",
            access: .resource(.read) { _ throws(ControlError) in "ca/trust" }
        ) { _ throws(ControlError) in
            let current = try await trust.current()
            return Answer(
                .fields([
                    "version": .number(current.version),
                    "epoch": .number(current.epoch),
                    "envelope": .string(Base64.encode(current.envelope)),
                    "not_acknowledged": .list(current.notAcknowledged.map(\.text)),
                ])
            )
        }
        .answering(
            .object([
                .readOnly("version", .integer(nil), "Each change makes a new one"),
                .readOnly("epoch", .integer(nil), "What snapshots must carry"),
                .readOnly("envelope", .text(), "The signed document, Base64"), behind,
            ])
        )
    }

    private static func submit(_ trust: TrustSubmission) -> Route {
        Route(
            .put,
            "/v1/ca/trust",
            "submitTrustDocument",
            room: "authority",
            "Takes the next trust document, signed by the trust keys, and gives it to every agent",
            access: .resource(.update) { _ throws(ControlError) in "ca/trust" }
        ) { request throws(ControlError) in
            let (bytes, force) = try request.read { value throws(FieldError) in
                try value.map { reader throws(FieldError) in
                    let text = try reader.required("envelope")
                    guard let bytes = try? Base64.decode(try text.string(bytes: 1...1_400_000))
                    else { throw text.error("this is no Base64", hint: "encode the envelope") }
                    return (bytes, try reader.optionalBool("force") ?? false)
                }
            }
            let outcome = try await trust.submit(bytes, force: force, by: request.caller)
            return Answer(
                .fields([
                    "revision": .number(outcome.revision),
                    "version": .number(outcome.version),
                    "epoch": .number(outcome.epoch),
                    "differences": .list(outcome.differences),
                    "not_acknowledged": .list(outcome.notAcknowledged.map(\.text)),
                ])
            )
        }
        .taking(
            .object([.required("envelope", .text(), "The signed document, Base64"), force])
        )
        .answering(
            .object([
                .readOnly("revision", .integer(nil), "From which on it counts"),
                .readOnly("version", .integer(nil), "Its version"),
                .readOnly("epoch", .integer(nil), "Its epoch"), differences, behind,
            ])
        )
    }

    private static func readForce(_ request: RouteRequest) throws(ControlError) -> Bool {
        try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                try reader.optionalBool("force") ?? false
            }
        }
    }

    private static func subject(
        _ request: RouteRequest
    ) throws(ControlError) -> Rotations.Subject {
        guard let subject = Rotations.Subject(rawValue: request.capture("subject")) else {
            throw .invalid(
                "rotation.subject",
                field: "subject",
                "must be \(Rotations.Subject.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return subject
    }

    private static func step(_ request: RouteRequest) throws(ControlError) -> Rotations.Step {
        guard let step = Rotations.Step(rawValue: request.capture("step")) else {
            throw .invalid(
                "rotation.step",
                field: "step",
                "must be \(Rotations.Step.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return step
    }
}
