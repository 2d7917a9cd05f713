import Crypto
import Mesh
import Snapshot
import Testing
import Wire

struct JoinTokenTests {
    private func token() throws -> JoinToken {
        JoinToken(
            agent: try AgentName("host-1"),
            servers: ["control.example:7400", "10.0.0.2:7400"],
            trustDomain: try TrustDomain("mesh.example"),
            trustHash: SHA256.digest(of: [1]),
            secret: SecretBytes(copying: Array(repeating: 7, count: 32))
        )
    }

    @Test func aTokenComesBackAsItWas() throws {
        let written = try token()
        let read = try JoinToken("  \(written.text)\n")
        #expect(read.agent == written.agent)
        #expect(read.servers == written.servers)
        #expect(read.trustDomain == written.trustDomain)
        #expect(read.trustHash == written.trustHash)
        #expect(read.text == written.text)
    }

    @Test func whatPrintsATokenShowsNoSecret() throws {
        let token = try token()
        var dumped = ""
        dump(token, to: &dumped)
        let secret = Base64URL.encode(Array(repeating: 7, count: 32))
        for text in ["\(token)", String(reflecting: token), dumped] {
            #expect(!text.contains(secret))
        }
    }

    @Test(arguments: ["", "tpj1.", "tpj2.e30", "tpj1.e30", "tpj1.@@@@", "tpj1.bm90IGpzb24"])
    func otherTextsAreRefusedWithoutBeingShown(_ text: String) throws {
        #expect {
            _ = try JoinToken(text)
        } throws: { error in
            text.isEmpty || text == "tpj1." || !"\(error)".contains(text)
        }
    }

    @Test func aCutTokenIsRefused() throws {
        let text = try token().text
        #expect(throws: SnapshotFormatError.self) { try JoinToken(String(text.dropLast(9))) }
    }

    @Test func requestAndAnswerComeBackAsTheyWere() throws {
        let request = EnrolmentRequest(secret: [1, 2, 3], csr: [4, 5])
        let readRequest = try FieldReader.read(request.document) {
            reader throws(FieldError) in try EnrolmentRequest(from: &reader)
        }
        #expect(readRequest == request)
        let answer = EnrolmentAnswer(
            agent: try AgentName("host-1"),
            chain: [[1], [2, 3]],
            servers: ["control.example:7401"]
        )
        let readAnswer = try FieldReader.read(answer.document) {
            reader throws(FieldError) in try EnrolmentAnswer(from: &reader)
        }
        #expect(readAnswer == answer)
    }
}
