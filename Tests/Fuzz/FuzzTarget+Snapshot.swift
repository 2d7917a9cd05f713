import Snapshot

// What servers and agents send each other: one spelling for each meaning.
extension FuzzTarget {
    static let snapshot: [FuzzTarget] = [
        FuzzTarget(name: "envelope") { bytes in
            guard let envelope = try? Envelope(encoded: bytes) else { return nil }
            return envelope.encoded == bytes ? nil : "a second spelling"
        },
        FuzzTarget(name: "manifest") { bytes in
            guard let manifest = try? Manifest(encoded: bytes) else { return nil }
            return manifest.encoded == bytes ? nil : "a second spelling"
        },
        FuzzTarget(name: "trust_document") { bytes in
            guard let document = try? TrustDocument(encoded: bytes) else { return nil }
            return document.encoded == bytes ? nil : "a second spelling"
        },
        FuzzTarget(name: "section") { bytes in
            guard let content = try? SectionContent(encoded: bytes) else { return nil }
            return (try? EncodedSection(checking: content).bytes) == bytes
                ? nil : "a second spelling"
        },
        FuzzTarget(name: "frames") { bytes in
            let (whole, fault) = frames([bytes])
            let (cut, cutFault) = frames(pieces(bytes))
            guard whole == cut, fault == cutFault else { return "pieces are read differently" }
            for message in whole {
                guard let frame = try? Frame.encode(message), frames([frame]).0 == [message] else {
                    return "\(message.kind) is another one once it is written again"
                }
            }
            return nil
        },
        FuzzTarget(name: "join_token") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let token = try? JoinToken(text) else { return nil }
            return token.text == text ? nil : "a second spelling"
        },
    ]

    private static func frames(_ pieces: [[UInt8]]) -> ([Message], FrameError?) {
        var decoder = FrameDecoder()
        var messages: [Message] = []
        for piece in pieces {
            decoder.append(piece)
            do throws(FrameError) {
                while let message = try decoder.next() { messages.append(message) }
            } catch {
                return (messages, error)
            }
        }
        return (messages, nil)
    }
}
