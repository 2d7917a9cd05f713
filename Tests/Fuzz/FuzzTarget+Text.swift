import Mesh
import Wire

// Texts: documents, names, paths.
extension FuzzTarget {
    static let text: [FuzzTarget] = [
        FuzzTarget(name: "json") { bytes in
            guard let document = try? JSON.parse(bytes) else { return nil }
            let canonical = JSON.canonical(document)
            guard (try? JSON.parse(canonical)) == document else { return "canonical JSON differs" }
            guard (try? JSON.parse(JSON.pretty(document))) == document else {
                return "pretty JSON differs"
            }
            return JSON.canonical((try? JSON.parse(canonical)) ?? .null) == canonical
                ? nil : "canonical JSON is no fixed point"
        },
        FuzzTarget(name: "yaml") { bytes in
            guard let documents = try? YAML.parse(bytes) else { return nil }
            let written = YAML.write(documents.filter { !$0.isNull })
            guard let back = try? YAML.parse(written) else { return "what was written is refused" }
            return YAML.write(back.filter { !$0.isNull }) == written
                ? nil : "written YAML is no fixed point"
        },
        FuzzTarget(name: "pem") { bytes in
            guard let blocks = try? PEM.decode(String(decoding: bytes, as: UTF8.self)) else {
                return nil
            }
            let again = blocks.map { PEM.encode($0) }.joined()
            return (try? PEM.decode(again)) == blocks ? nil : "PEM differs"
        },
        FuzzTarget(name: "spiffe_id") { bytes in
            guard let id = try? SPIFFEID(bytes: bytes) else { return nil }
            return Array(id.description.utf8) == bytes ? nil : "a second spelling"
        },
        FuzzTarget(name: "path") { bytes in
            guard let path = try? PathCanonicalizer.canonicalize(path: bytes) else { return nil }
            guard (try? PathCanonicalizer.canonicalize(path: path)) == path else {
                return "no fixed point"
            }
            let segments = path.split(
                separator: UInt8(ascii: "/"),
                omittingEmptySubsequences: false
            ).dropFirst()
            let isClean = segments.enumerated().allSatisfy { index, segment in
                let text = String(decoding: segment, as: UTF8.self)
                return text != "." && text != ".."
                    && (!segment.isEmpty || index == segments.count - 1)
            }
            return isClean && path.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }
                ? nil : "a segment that servers read in two ways"
        },
        FuzzTarget(name: "scalars") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let duration = try? DurationText.parse(text),
                (try? DurationText.parse(DurationText.format(duration))) != duration
            {
                return "a duration differs"
            }
            if let size = try? ByteCount(parsing: text),
                (try? ByteCount(parsing: size.description)) != size
            {
                return "a size differs"
            }
            if let time = try? Timestamp(rfc3339: text),
                (try? Timestamp(rfc3339: time.rfc3339)) != time
            {
                return "a time differs"
            }
            if let bytes = try? Base64.decode(text), Base64.encode(bytes) != text {
                return "base64 has a second spelling"
            }
            if let bytes = try? Base64URL.decode(text), Base64URL.encode(bytes) != text {
                return "base64url has a second spelling"
            }
            if let address = try? IPAddress(text),
                (try? IPAddress(address.description)) != address
            {
                return "an address differs"
            }
            return nil
        },
    ]
}
