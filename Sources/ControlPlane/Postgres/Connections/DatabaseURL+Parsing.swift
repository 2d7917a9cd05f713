extension DatabaseURL {
    /// The supported options of the query part.
    struct Options {
        var sslMode: SSLMode?
        var rootCertificateFile: String?
        var certificateFile: String?
        var keyFile: String?
        var socketDirectory: String?

        static let names = "host (a socket directory), sslmode, sslrootcert, sslcert, sslkey"

        mutating func set(_ name: String, _ value: String) throws(DatabaseURLError) {
            switch name {
            case "sslmode":
                guard sslMode == nil else { throw .repeatedOption(name) }
                guard let mode = SSLMode(rawValue: value) else { throw .malformedOption(name) }
                sslMode = mode
            case "sslrootcert": try Options.setPath(&rootCertificateFile, name, value)
            case "sslcert": try Options.setPath(&certificateFile, name, value)
            case "sslkey": try Options.setPath(&keyFile, name, value)
            case "host": try Options.setPath(&socketDirectory, name, value)
            default:
                // The name comes from the file or the command line; only a plain word is echoed.
                let isWord = name.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 }
                throw .unknownOption(isWord && name.utf8.count <= 32 ? name : "(unreadable)")
            }
        }

        private static func setPath(
            _ field: inout String?,
            _ name: String,
            _ value: String
        ) throws(DatabaseURLError) {
            guard field == nil else { throw .repeatedOption(name) }
            guard value.hasPrefix("/"), !value.contains(",") else { throw .malformedOption(name) }
            field = value
        }
    }

    /// Reads a URL and checks it whole.
    package init(parsing text: String) throws(DatabaseURLError) {
        guard text.utf8.count <= DatabaseURL.byteCountMax else { throw .tooLong }
        let schemes = ["postgresql://", "postgres://"]
        guard let scheme = schemes.first(where: { text.hasPrefix($0) }) else {
            throw .wrongScheme
        }
        var rest = text.dropFirst(scheme.count)
        var options = Options()
        if let mark = rest.firstIndex(of: "?") {
            try DatabaseURL.parse(options: rest[rest.index(after: mark)...], into: &options)
            rest = rest[..<mark]
        }
        guard let slash = rest.firstIndex(of: "/") else { throw .missingDatabase }
        let database = try DatabaseURL.unescaped(rest[rest.index(after: slash)...])
        guard !database.isEmpty else { throw .missingDatabase }
        let authority = rest[..<slash].split(separator: "@", omittingEmptySubsequences: false)
        guard authority.count > 1, let credentials = authority.first else { throw .missingUser }
        guard authority.count == 2, let places = authority.last else { throw .ambiguousAt }
        let colon = credentials.firstIndex(of: ":")
        let user = try DatabaseURL.unescaped(credentials[..<(colon ?? credentials.endIndex)])
        guard !user.isEmpty else { throw .missingUser }
        let password = try colon.map { colon throws(DatabaseURLError) in
            try DatabaseURL.unescaped(credentials[credentials.index(after: colon)...])
        }
        try self.init(
            hosts: DatabaseURL.hosts(places, socketDirectory: options.socketDirectory),
            user: user,
            password: password,
            database: database,
            options: options
        )
    }

    private static func parse(
        options text: Substring,
        into options: inout Options
    ) throws(DatabaseURLError) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, let name = parts.first, let value = parts.last else {
                throw .malformedOption("(without =)")
            }
            try options.set(try unescaped(name), try unescaped(value))
        }
    }

    private static func hosts(
        _ text: Substring,
        socketDirectory: String?
    ) throws(DatabaseURLError) -> [Host] {
        if let socketDirectory {
            // Beside `host=` only a port may stand in the authority.
            guard text.isEmpty || text.first == ":" else { throw .repeatedOption("host") }
            return [Host(name: socketDirectory, port: try port(text.dropFirst()))]
        }
        var hosts: [Host] = []
        for place in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard hosts.count < hostsMax else { throw .tooManyHosts }
            hosts.append(try host(place))
        }
        return hosts
    }

    private static func host(_ place: Substring) throws(DatabaseURLError) -> Host {
        guard !place.isEmpty else { throw .missingHost }
        if place.hasPrefix("[") {
            guard let end = place.firstIndex(of: "]") else { throw .malformedHost }
            let name = place[place.index(after: place.startIndex)..<end]
            let rest = place[place.index(after: end)...]
            guard name.utf8.contains(58), name.utf8.allSatisfy(isAddressByte) else {
                throw .malformedHost
            }
            guard rest.isEmpty || rest.hasPrefix(":") else { throw .malformedHost }
            return Host(name: String(name), port: try port(rest.dropFirst()))
        }
        let parts = place.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let written = parts.first else { throw .malformedHost }
        let name = try unescaped(written)
        if name.hasPrefix("/") {
            guard !name.contains(",") else { throw .malformedHost }
        } else {
            guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else { throw .malformedHost }
        }
        return Host(name: name, port: try port(parts.count == 2 ? parts[1] : ""))
    }

    private static func port(_ text: Substring) throws(DatabaseURLError) -> UInt16 {
        if text.isEmpty { return defaultPort }
        let isNumber = text.utf8.allSatisfy { (48...57).contains($0) }
        guard isNumber, let port = UInt16(text), port > 0 else { throw .malformedPort }
        return port
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, 45, 46, 95: true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...58, 65...70, 97...102, 46: true
        default: false
        }
    }

    private static func unescaped(_ text: Substring) throws(DatabaseURLError) -> String {
        guard text.utf8.contains(37) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte != 37 {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue),
                let low = rest.popFirst().flatMap(hexValue), high | low != 0
            else { throw .malformedEscape }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .malformedEscape
        }
        return decoded
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
