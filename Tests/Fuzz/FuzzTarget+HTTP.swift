import HTTP

// Messages of HTTP/1.1, from both sides.
extension FuzzTarget {
    static let http: [FuzzTarget] = [
        FuzzTarget(name: "http_request") { bytes in
            let (whole, fault) = requests([bytes])
            let (cut, cutFault) = requests(pieces(bytes))
            guard whole == cut, fault == cutFault else { return "pieces are read differently" }
            for exchange in whole where exchange.isEnded && exchange.head.version == .http11 {
                guard survivesSerialisation(exchange) else {
                    return "the request is another one once it is written again"
                }
            }
            return nil
        },
        FuzzTarget(name: "http_response") { bytes in
            for method in [HTTP.Method.get, .head]
            where responses([bytes], method) != responses(pieces(bytes), method) {
                return "pieces are read differently"
            }
            return nil
        },
        FuzzTarget(name: "http_target") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let query = try? QueryParameters(text),
                query.all.contains(where: { $0.value.utf8.contains { $0 < 0x20 } })
            {
                return "a control byte in a query"
            }
            guard let target = RequestTarget(text) else { return nil }
            return RequestTarget(target.originForm)?.originForm == target.originForm
                ? nil : "the origin form is no fixed point"
        },
    ]

    private struct Exchange: Equatable {
        var head: RequestHead
        var body: [UInt8] = []
        var isEnded = false
    }

    private static func requests(_ pieces: [[UInt8]]) -> ([Exchange], MessageFault?) {
        var parser = RequestParser()
        var exchanges: [Exchange] = []
        for piece in pieces {
            var offset = 0
            feeding: while true {
                do {
                    switch try parser.next(in: piece.span, from: &offset) {
                    case .incomplete: break feeding
                    case .head(let head): exchanges.append(Exchange(head: head))
                    case .body(let range): exchanges[exchanges.count - 1].body += piece[range]
                    case .end: exchanges[exchanges.count - 1].isEnded = true
                    }
                } catch {
                    return (exchanges, error)
                }
            }
        }
        return (exchanges, nil)
    }

    /// What the next server would read of a request that was accepted.
    private static func survivesSerialisation(_ exchange: Exchange) -> Bool {
        guard var again = try? exchange.head.serialized() else { return false }
        if exchange.head.framing == .chunked {
            again += ChunkedCoding.chunk(exchange.body) + ChunkedCoding.end
        } else {
            again += exchange.body
        }
        let (copies, fault) = requests([again])
        guard fault == nil, copies.count == 1, let copy = copies.first, copy.isEnded else {
            return false
        }
        return copy.body == exchange.body && copy.head.method == exchange.head.method
            && copy.head.target.originForm == exchange.head.target.originForm
            && copy.head.authority == exchange.head.authority
            && plain(copy.head.fields) == plain(exchange.head.fields)
    }

    /// Fields without those that the serialiser writes itself.
    private static func plain(_ fields: HeaderFields) -> HeaderFields {
        let written: Set<String> = [
            "host", "content-length", "transfer-encoding", "connection", "keep-alive",
            "proxy-connection",
        ]
        var fields = fields
        fields.removeAll { written.contains("\($0)") }
        return fields
    }

    private static func responses(_ pieces: [[UInt8]], _ method: HTTP.Method) -> [String] {
        var parser = ResponseParser()
        parser.expect(method)
        var log: [String] = []
        var body: [UInt8] = []
        for piece in pieces {
            var offset = 0
            feeding: while true {
                do {
                    switch try parser.next(in: piece.span, from: &offset) {
                    case .incomplete: break feeding
                    case .informational(let head), .head(let head): log.append("\(head)")
                    case .body(let range): body += piece[range]
                    case .end: log.append("end")
                    }
                } catch {
                    return log + ["\(body)", "\(error)"]
                }
            }
        }
        return log + ["\(body)"]
    }
}
