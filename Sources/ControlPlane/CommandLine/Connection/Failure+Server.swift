import HTTP
import TLS
import Transport
import Wire

extension Failure {
    /// An answer of the server that is no success.
    init(status: Int, _ document: Document) {
        let said = document.list("errors").compactMap(\.text)
        let problems = said.isEmpty ? ["the server answered with status \(status)"] : said
        let (code, hint): (ExitCode, String?) =
            switch status {
            case 400, 405, 413, 414, 415, 422: (.usage, nil)
            case 401:
                (
                    .refused,
                    "set TURNPIKE_TOKEN or TURNPIKE_TOKEN_FILE to a token that lives;"
                        + " somebody with the right makes one with `turnpike token create`"
                )
            case 403: (.refused, nil)
            case 404, 410: (.notFound, nil)
            case 409, 412: (.conflict, nil)
            case 429, 503: (.unreachable, "the server is busy or not ready: try again")
            default: (.unreachable, Self.requestHint(document))
            }
        self.init(code, problems, hint: hint)
    }

    private static func requestHint(_ document: Document) -> String? {
        document["request_id"]?.text.map { "the server's log knows more of request \($0)" }
    }

    /// A request that got no answer.
    init(_ error: HTTPClientError, _ access: ServerAccess) {
        let hint: String?
        switch error {
        case .connecting(_, .tls(let failure)) where failure.kind == .peerRefused:
            hint =
                "the server's certificate is refused: TURNPIKE_CACERT (\(access.rootsPath)) must"
                + " hold the CA that signed it, and it must be made for \(access.host)"
        case .connecting:
            hint = "is the server running, and is TURNPIKE_ADDR (\(access.authority)) right?"
        case .lost, .answerCutShort, .timedOut:
            hint = "whether a change was made is not known: look before you repeat it"
        case .answerRefused: hint = "does TURNPIKE_ADDR name a Turnpike server?"
        case .requestInvalid: hint = nil
        }
        self.init(.unreachable, error.description, hint: hint)
    }
}
