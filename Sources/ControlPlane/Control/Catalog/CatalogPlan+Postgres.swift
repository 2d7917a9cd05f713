import Mesh

// What holds of upstream ports that lease for their programs.
extension CatalogPlan {
    /// Whoever writes such a port gives its programs what the profile gives.
    mutating func check(_ access: PostgresAccess, of upstream: Upstream, _ part: Part) {
        let path = Leases.path(access.profile)
        if !caller.may(.read, on: path) {
            refuse(
                part,
                "upstream.profile_needs_read",
                "postgres.profile",
                "lends its programs what the profile may do, which needs `read` on `\(path)`",
                .forbidden
            )
        } else if !state.hasProfile(access.profile) {
            refuse(
                part,
                "upstream.profile_unknown",
                "postgres.profile",
                "there is no profile \(access.profile): write it first (`turnpike profile put`)"
            )
        }
        if state.lacksPostgres(upstream.agent) {
            refuse(
                part,
                "upstream.agent_too_old",
                "agent",
                "the agent \(upstream.agent) is too old to speak PostgreSQL: bring it up to date"
                    + " first",
                .conflict
            )
        }
    }
}
