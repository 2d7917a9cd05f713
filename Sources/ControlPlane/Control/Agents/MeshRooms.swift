/// The rooms that need the opened authority, as the API takes them.
package struct MeshRooms: Sendable {
    package let authority: AuthorityView
    package let rotations: Rotations
    package let trust: TrustSubmission
    package let imports: AuthorityImport
    package let agents: Agents
    package let joinTokens: JoinTokens
    package let enrolment: EnrolmentExchange

    package init(
        _ control: ControlPlane,
        _ authority: Authority,
        _ addresses: ServerAddresses = ServerAddresses()
    ) {
        self.authority = AuthorityView(control, authority)
        rotations = Rotations(control, authority)
        trust = TrustSubmission(control, authority)
        imports = AuthorityImport(control, authority)
        agents = Agents(control)
        joinTokens = JoinTokens(control, authority, addresses)
        enrolment = EnrolmentExchange(control, authority, addresses)
    }
}
