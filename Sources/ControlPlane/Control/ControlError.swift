package import Mesh
package import Wire

/// Why `Control` did not do what was asked; the API maps each case to one status.
///
/// The texts are for the caller and hold no secret, no SQL and no value that the caller may not
/// see.
package enum ControlError: Error, Equatable, Sendable {
    /// The request contradicts a rule; every wrong field is named, not only the first.
    case invalid(Complaint, fields: [FieldProblem])
    /// No credential, or one that is unknown, expired or revoked.
    case unauthenticated(Complaint)
    /// The principal lacks a right.
    case forbidden(Complaint)
    case notFound(Complaint)
    /// It exists already, or something that exists forbids it.
    case conflict(Complaint)
    /// The row is not at the revision that the caller named.
    case preconditionFailed(Complaint)
    /// It existed once and will not come back.
    case gone(Complaint)
    /// The caller asks too often.
    case tooMany(Complaint, retryAfter: Duration)
    /// Storage or something else that is needed cannot be reached, or did not answer whether the
    /// change happened (code `storage.outcome_unknown`).
    case unavailable(Complaint)
    /// A fault of ours; what happened is in the log, not in the text.
    case faulted(Complaint)
}

/// A stable code for programs and a sentence for people.
package struct Complaint: Equatable, Sendable {
    /// Such as `intention.duplicate`.
    package let code: String
    /// What is wrong and what would be right.
    package let text: String

    package init(_ code: String, _ text: String) {
        self.code = code
        self.text = text
    }
}

/// One wrong field.
package struct FieldProblem: Equatable, Sendable {
    /// The field from the top of the body, such as `sources[2].name`; empty for the body itself.
    package let field: String
    /// What is wrong and what would be right.
    package let problem: String

    package init(field: String, problem: String) {
        self.field = field
        self.problem = problem
    }

    package init(_ error: InvalidField) {
        self.init(field: error.field, problem: error.problem.description)
    }

    package init(_ error: FieldError) {
        self.init(field: error.path, problem: "\(error.problem); \(error.hint)")
    }
}

extension ControlError {
    /// One wrong field of a request.
    package static func invalid(
        _ code: String,
        field: String,
        _ problem: String
    ) -> ControlError {
        .invalid(
            Complaint(code, field.isEmpty ? problem : "\(field): \(problem)"),
            fields: [FieldProblem(field: field, problem: problem)]
        )
    }

    /// A rule of the vocabulary that a field breaks.
    package static func invalid(_ code: String, _ error: InvalidField) -> ControlError {
        .invalid(Complaint(code, error.description), fields: [FieldProblem(error)])
    }

    /// What every case carries.
    package var complaint: Complaint {
        switch self {
        case .invalid(let value, _), .tooMany(let value, _): value
        case .unauthenticated(let value), .forbidden(let value), .notFound(let value),
            .conflict(let value), .preconditionFailed(let value), .gone(let value),
            .unavailable(let value), .faulted(let value):
            value
        }
    }

    /// A stable code for programs, such as `intention.duplicate`.
    package var code: String { complaint.code }
}

extension ControlError: CustomStringConvertible {
    package var description: String {
        guard case .invalid(_, let fields) = self, !fields.isEmpty else {
            return complaint.text
        }
        let problems = fields.map { $0.field.isEmpty ? $0.problem : "\($0.field): \($0.problem)" }
        return problems.joined(separator: "; ")
    }
}
