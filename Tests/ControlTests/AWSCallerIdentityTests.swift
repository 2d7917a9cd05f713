import Control
import Testing
import Wire

/// What STS answers, and what only looks like it.
struct AWSCallerIdentityTests {
    private static let arn = "arn:aws:sts::123456789012:assumed-role/deploy/i-1"

    private func answer(
        arn: String = arn,
        account: String = "123456789012",
        user: String = "AROA1:i-1",
        namespace: String = "https://sts.amazonaws.com/doc/2011-06-15/"
    ) -> String {
        """
        <GetCallerIdentityResponse xmlns="\(namespace)">
          <GetCallerIdentityResult>
            <Arn>\(arn)</Arn>
            <UserId>\(user)</UserId>
            <Account>\(account)</Account>
          </GetCallerIdentityResult>
          <ResponseMetadata><RequestId>1-2</RequestId></ResponseMetadata>
        </GetCallerIdentityResponse>

        """
    }

    @Test func aRoleIsNamedWithoutItsSession() throws {
        let text = "<?xml version=\"1.0\"?>\n" + answer()
        for text in [answer(), text] {
            let found = try #require(AWSCallerIdentity(answer: Array(text.utf8)))
            #expect(found.principal == "arn:aws:iam::123456789012:role/deploy")
            #expect(found.uniqueID == "AROA1" && found.userID == "AROA1:i-1")
            #expect(found.account == "123456789012" && found.arn == Self.arn)
        }
        let user = "arn:aws:iam::123456789012:user/people/ada"
        let found = AWSCallerIdentity(answer: Array(answer(arn: user, user: "AIDA1").utf8))
        #expect(found?.principal == user)
    }

    @Test func whatOnlyLooksLikeAnAnswerIsNobody() {
        let good = answer()
        let result = "<Arn>\(Self.arn)</Arn>"
        let wrong = [
            "", "{}", answer(arn: "arn:aws:iam::123456789012:root"),
            answer(arn: "arn:aws:sts::123456789012:federated-user/x"),
            answer(arn: "arn:aws:sts::123456789012:assumed-role/a/b/c"),
            answer(arn: "arn:aws:sts::210987654321:assumed-role/a/b"),
            answer(arn: "arn:aws:iam::123456789012:user/"), answer(account: "12345678901"),
            answer(user: ""), answer(user: ":x"), answer(namespace: "https://example.org/"),
            answer(user: "&#65;ROA1"), answer(user: "<!-- -->AROA1"), answer(user: "\u{e9}"),
            good + good, good.replacing("GetCallerIdentityResponse", with: "ErrorResponse"),
            good.replacing(result, with: result + result), good.replacing(result, with: ""),
            "<!DOCTYPE x>" + good, good.replacing("<Account>", with: "<Account a=\"b\">"),
            String(good.dropLast(30)), "x" + good, "<a>" + good + "</a>",
            good + String(repeating: " ", count: AWSCallerIdentity.answerBytesMax),
            String(repeating: "<a>", count: 5_000),
        ]
        for text in wrong {
            #expect(AWSCallerIdentity(answer: Array(text.utf8)) == nil, "\(text.prefix(200))")
        }
    }
}
