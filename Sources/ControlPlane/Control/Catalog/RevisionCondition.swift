/// At which revision a resource must be for a change of it to happen.
package enum RevisionCondition: Equatable, Sendable {
    /// At any, or not there at all.
    case none
    /// It must exist.
    case exists
    /// It must be at one of these.
    case revisions([Int64])

    /// Refuses a change of what is at another revision; nil is what does not exist.
    func check(_ revision: Int64?, of what: String) throws(ControlError) {
        switch (self, revision) {
        case (.none, _), (.exists, _?): return
        case (.exists, nil), (.revisions, nil):
            throw .preconditionFailed(
                Complaint("revision.mismatch", "the \(what) does not exist")
            )
        case (.revisions(let wanted), let revision?):
            if wanted.contains(revision) { return }
            throw .preconditionFailed(
                Complaint(
                    "revision.mismatch",
                    "the \(what) is at revision \(revision): read it again before you change it"
                )
            )
        }
    }
}
