/// Every metric of the house, declared once; the room that counts something declares it here.
///
/// Names are `turnpike_agent_…`, `turnpike_server_…`, or for both programs `turnpike_…`; each one is
/// explained in docs/metrics.md.
package enum MetricNames {
    /// Counted by the registry itself.
    package static let labelSetsOverflowed = MetricDefinition(
        "turnpike_metrics_label_sets_overflowed_total",
        .counter,
        help: "Look-ups of a metric whose label set was over the limit of that metric.",
        labels: ["metric"]
    )

    /// The longest pause of the server's reactor since its start.
    package static let reactorLongestTurn = MetricDefinition(
        "turnpike_server_reactor_longest_turn_milliseconds",
        .gauge,
        help: "The longest time since the start in which nothing else was served."
    )

    /// Credentials that were given out on lease.
    package static let leasesIssued = MetricDefinition(
        "turnpike_leases_issued_total",
        .counter,
        help: "Credentials given out on lease.",
        labels: ["target"]
    )

    /// Leases of which nothing is left.
    package static let leasesEnded = MetricDefinition(
        "turnpike_leases_ended_total",
        .counter,
        help: "Leases that ended and of which nothing is left."
    )

    /// From the moment the access had to end to the moment it had.
    package static let leaseEndDelay = MetricDefinition(
        "turnpike_lease_end_delay_seconds",
        .histogram(buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600]),
        help: "From the moment the access of a lease had to end to the moment it had ended."
    )

    /// How long it took to find out which targets have leases that are due.
    package static let leaseProbe = MetricDefinition(
        "turnpike_lease_probe_seconds",
        .histogram(buckets: [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 1, 5]),
        help: "How long a look for leases that are due took; both kinds of work look."
    )

    /// Leases that are open.
    package static let leasesOpen = MetricDefinition(
        "turnpike_leases_open",
        .gauge,
        help: "Leases of which something may be left.",
        labels: ["target", "state"]
    )

    /// Roles on a target that carry our mark and belong to no open lease.
    package static let leaseOrphans = MetricDefinition(
        "turnpike_lease_orphan_roles",
        .gauge,
        help: "Roles that the last sweep found marked as leased and could not remove.",
        labels: ["target"]
    )

    /// Rows that grant but whose MAC does not hold.
    package static let rowMACFailures = MetricDefinition(
        "turnpike_server_row_mac_failures_total",
        .counter,
        help: "Reads of a row that was inserted or altered behind the server's back.",
        labels: ["table"]
    )

    /// Calls without a valid credential, or without the right.
    package static let callRefusals = MetricDefinition(
        "turnpike_server_call_refusals_total",
        .counter,
        help: "Calls that were refused for who made them.",
        labels: ["reason"]
    )

    /// Relayed connections that are open.
    package static let agentConnectionsOpen = MetricDefinition(
        "turnpike_agent_connections_open",
        .gauge,
        help: "Relayed connections that are open.",
        labels: ["direction"]
    )

    /// Connections that were accepted, relayed or not.
    package static let agentConnections = MetricDefinition(
        "turnpike_agent_connections_total",
        .counter,
        help: "Connections that the mesh port and the upstream ports accepted.",
        labels: ["direction"]
    )

    /// Connections cut after they had been allowed.
    package static let agentConnectionsCut = MetricDefinition(
        "turnpike_agent_connections_cut_total",
        .counter,
        help: "Connections that were allowed and later cut by a decision."
    )

    /// Refusals and cuts by reason.
    package static let agentRefusals = MetricDefinition(
        "turnpike_agent_refusals_total",
        .counter,
        help: "Connections refused or cut, by the reason of the decision.",
        labels: ["reason"]
    )

    /// Application bytes relayed.
    package static let agentRelayedBytes = MetricDefinition(
        "turnpike_agent_relayed_bytes_total",
        .counter,
        help: "Application bytes relayed, towards the destination or the source.",
        labels: ["direction"]
    )

    /// TLS handshakes that did not complete.
    package static let agentHandshakeFailures = MetricDefinition(
        "turnpike_agent_handshake_failures_total",
        .counter,
        help: "TLS handshakes between agents that did not complete."
    )

    /// Handshakes that found the peer's leaf verified before.
    package static let agentVerifiedLeafHits = MetricDefinition(
        "turnpike_agent_verified_leaf_hits_total",
        .counter,
        help: "Handshakes whose peer certificate had been verified before."
    )

    /// Attempts to accept that failed.
    package static let agentAcceptFailures = MetricDefinition(
        "turnpike_agent_accept_failures_total",
        .counter,
        help: "Attempts to accept a connection that failed, such as for want of descriptors."
    )

    /// 1 while a server is connected.
    package static let agentConnected = MetricDefinition(
        "turnpike_agent_server_connected",
        .gauge,
        help: "Whether a server of the control plane is connected (1) or not (0)."
    )

    /// Attempts that reached no server.
    package static let agentConnectFailures = MetricDefinition(
        "turnpike_agent_server_connect_failures_total",
        .counter,
        help: "Attempts to reach a server that failed."
    )

    /// What is enforced.
    package static let agentRevision = MetricDefinition(
        "turnpike_agent_snapshot_revision",
        .gauge,
        help: "The revision of the snapshot that every reactor enforces."
    )

    /// Snapshots and trust documents that were not taken.
    package static let agentSnapshotRefusals = MetricDefinition(
        "turnpike_agent_snapshot_refusals_total",
        .counter,
        help: "Snapshots and trust documents that were refused; the ones before stay in force."
    )

    /// Certificates taken from servers.
    package static let agentRenewals = MetricDefinition(
        "turnpike_agent_certificate_renewals_total",
        .counter,
        help: "Certificates that were issued to this agent and taken."
    )

    /// Certificates that were asked for in vain.
    package static let agentRenewalFailures = MetricDefinition(
        "turnpike_agent_certificate_renewal_failures_total",
        .counter,
        help: "Requests for a certificate that failed; they are repeated."
    )

    /// The rest of each certificate's life.
    package static let agentCertificateBudget = MetricDefinition(
        "turnpike_agent_certificate_budget_seconds",
        .gauge,
        help: "Seconds until a certificate ends: how long an outage of the control plane may last.",
        labels: ["subject"]
    )

    /// How close each certificate has come to its end.
    package static let agentCertificateLifeUsed = MetricDefinition(
        "turnpike_agent_certificate_life_used_percent",
        .gauge,
        help: "How much of the life of a certificate is over, in percent.",
        labels: ["subject"]
    )

    /// Evidence on disk.
    package static let agentSpooledBytes = MetricDefinition(
        "turnpike_agent_evidence_spooled_bytes",
        .gauge,
        help: "Bytes of evidence on disk that no server has acknowledged."
    )

    /// Evidence that was lost.
    package static let agentDroppedDecisions = MetricDefinition(
        "turnpike_agent_evidence_dropped_decisions",
        .gauge,
        help: "Decisions that found no room in the spool and whose number is not reported yet."
    )

    /// Agents with an open stream to this replica.
    package static let connectedAgents = MetricDefinition(
        "turnpike_server_connected_agents",
        .gauge,
        help: "Agents that are connected to this replica."
    )

    /// What waits for each connected agent.
    package static let agentPendingBytes = MetricDefinition(
        "turnpike_server_agent_pending_bytes",
        .gauge,
        help: "Bytes that wait for an agent to read.",
        labels: ["agent"],
        labelSetsMax: 10_000
    )

    /// Connected agents that have not answered their newest snapshot.
    package static let laggingAgents = MetricDefinition(
        "turnpike_server_lagging_agents",
        .gauge,
        help: "Connected agents that do not enforce the newest snapshot made for them."
    )

    /// How far this replica has published.
    package static let publishedRevision = MetricDefinition(
        "turnpike_server_published_revision",
        .gauge,
        help: "The revision that this replica has published to its agents."
    )

    /// 1 while this replica refuses to publish.
    package static let publishingHalted = MetricDefinition(
        "turnpike_server_publishing_halted",
        .gauge,
        help: "Whether this replica has stopped publishing since an agent is ahead of the database."
    )

    /// Manifests that were signed.
    package static let snapshotsSigned = MetricDefinition(
        "turnpike_server_snapshots_signed_total",
        .counter,
        help: "Snapshots that were signed for agents."
    )

    /// Bytes on the agents' streams.
    package static let agentStreamBytes = MetricDefinition(
        "turnpike_server_agent_stream_bytes_total",
        .counter,
        help: "Bytes sent to agents."
    )

    /// What agents refused.
    package static let snapshotRefusals = MetricDefinition(
        "turnpike_server_snapshot_refusals_total",
        .counter,
        help: "Snapshots that agents have refused."
    )

    /// What the server's own check refused.
    package static let sectionFaults = MetricDefinition(
        "turnpike_server_section_faults_total",
        .counter,
        help: "Parts of the configuration that could not be put into a section and are denied.",
        labels: ["kind"]
    )

    /// Decisions that agents have sent.
    package static let evidenceReceived = MetricDefinition(
        "turnpike_server_evidence_decisions_total",
        .counter,
        help: "Decisions of agents that were stored."
    )

    /// Decisions that agents had to drop.
    package static let evidenceDropped = MetricDefinition(
        "turnpike_server_evidence_dropped_total",
        .counter,
        help: "Decisions that agents say they had to drop."
    )

    /// Evidence that is not as it should be.
    package static let evidenceAlarms = MetricDefinition(
        "turnpike_server_evidence_alarms_total",
        .counter,
        help: "Batches of evidence with a broken chain or about services of others.",
        labels: ["reason"]
    )

    /// Attempts at a second address.
    package static let agentConnectRetries = MetricDefinition(
        "turnpike_agent_connect_retries_total",
        .counter,
        help: "Connections that were tried at a second address since the first one failed."
    )

    /// Addresses that were left out for a while.
    package static let agentEjections = MetricDefinition(
        "turnpike_agent_ejections_total",
        .counter,
        help: "Times that an address was left out for a while since connections to it failed."
    )

    /// Instances by the outcome of their probes.
    package static let agentInstances = MetricDefinition(
        "turnpike_agent_instances",
        .gauge,
        help: "Instances of this host by what their health checks find.",
        labels: ["state"]
    )

    /// Instances that went up or down.
    package static let agentHealthChanges = MetricDefinition(
        "turnpike_agent_health_changes_total",
        .counter,
        help: "Times that an instance of this host went up or down.",
        labels: ["state"]
    )

    /// Times that this replica let go of its agents for want of its database.
    package static let publishingLeasesLost = MetricDefinition(
        "turnpike_server_publishing_leases_lost_total",
        .counter,
        help: "Times that agents were sent away because the database was out of touch."
    )

    /// Agents that were asked to move.
    package static let agentsMoved = MetricDefinition(
        "turnpike_server_agents_moved_total",
        .counter,
        help: "Agents that were asked to move to a replica with fewer of them."
    )

    /// How close what signs has come to its end.
    package static let authorityLifeUsed = MetricDefinition(
        "turnpike_server_authority_life_used_percent",
        .gauge,
        help: "How much of the life of a certificate authority is over, in percent.",
        labels: ["kind"]
    )

    /// All of them; a test checks the names.
    package static let all: [MetricDefinition] = [
        labelSetsOverflowed, rowMACFailures, callRefusals,
        agentConnectionsOpen,
        agentConnections,
        agentConnectionsCut,
        agentRefusals,
        agentRelayedBytes,
        agentHandshakeFailures,
        agentVerifiedLeafHits,
        agentAcceptFailures,
        agentConnected,
        agentConnectFailures,
        agentRevision,
        agentSnapshotRefusals,
        agentRenewals,
        agentRenewalFailures,
        agentCertificateBudget,
        agentCertificateLifeUsed,
        agentSpooledBytes,
        agentDroppedDecisions,
        agentConnectRetries, agentEjections, agentInstances, agentHealthChanges,
        reactorLongestTurn,
        connectedAgents, agentPendingBytes, laggingAgents, publishedRevision, publishingHalted,
        snapshotsSigned,
        agentStreamBytes, snapshotRefusals, sectionFaults, evidenceReceived, evidenceDropped,
        evidenceAlarms, publishingLeasesLost, agentsMoved, authorityLifeUsed,
    ]
}
