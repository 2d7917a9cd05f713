import Mesh
import Snapshot
import Testing
import Wire

@Suite struct AgentFilesTests {
    @Test func aLeafLiesUnderItsNamespaceAndName() throws {
        #expect(AgentFiles.leaf(of: try ServiceName("shop/web")) == "leaves/shop.web.pem")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let enrolment = AgentEnrolment(
            agent: try AgentName("host-1"),
            trustDomain: try TrustDomain("mesh.example"),
            servers: ["control.example:7401"]
        )
        #expect(try AgentEnrolment(JSON.parse(enrolment.encoded)) == enrolment)
    }

    @Test(arguments: [
        #"{"agent":"host-1","servers":[]}"#,
        #"{"agent":"Host","servers":[],"trust_domain":"mesh.example"}"#,
        #"{"agent":"host-1","servers":[""],"trust_domain":"mesh.example"}"#,
        #"{"agent":"host-1","more":1,"servers":[],"trust_domain":"mesh.example"}"#,
    ])
    func anythingElseIsRefused(_ text: String) throws {
        #expect(throws: FieldError.self) { try AgentEnrolment(JSON.parse(text)) }
    }
}
