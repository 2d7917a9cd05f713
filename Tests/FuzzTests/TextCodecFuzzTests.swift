import Testing
import Wire

/// Seeded; a strict codec accepts exactly one text per value, so what it accepts it also writes.
@Suite struct TextCodecFuzzTests {
    private static let rounds = 3000

    private func randomText(_ alphabet: String, _ generator: inout SeededGenerator) -> String {
        let characters = Array(alphabet.unicodeScalars)
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &generator) {
            if let scalar = characters.randomElement(using: &generator) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func base64HasOneTextPerValue(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        var accepted = 0
        for _ in 0..<Self.rounds {
            let text = randomText("AQgwZz09+/-_== \né", &generator)
            if let bytes = try? Base64.decode(text) {
                accepted += 1
                #expect(Base64.encode(bytes) == text)
            }
            if let bytes = try? Base64URL.decode(text) {
                accepted += 1
                #expect(Base64URL.encode(bytes) == text)
            }
        }
        #expect(accepted > 0)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func bytesSurviveEveryEncoding(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(try Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(try Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(try Hex.decode(Hex.encode(bytes)) == bytes)
            let block = PEM.Block(label: "X", bytes: bytes)
            #expect(try PEM.decode(PEM.encode(block)) == [block])
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func timesAndDurationsSurvive(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<Self.rounds {
            let number = Int64.random(in: .min ... .max, using: &generator)
            let time = Timestamp(nanosecondsSinceEpoch: number)
            #expect(try Timestamp(rfc3339: time.rfc3339) == time)
            let duration = Duration.nanoseconds(Int64(number.magnitude >> 1))
            #expect(try DurationText.parse(DurationText.format(duration)) == duration)
            let size = ByteCount(bytes: Int(number.magnitude >> 1))
            #expect(try ByteCount(parsing: size.description) == size)
            let id = UUIDv7(timestamp: time, using: &generator)
            #expect(try UUIDv7(parsing: id.description) == id)
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func oddTextsNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        var refused = 0
        for _ in 0..<Self.rounds {
            let text = randomText("0129-:TZ.+dhmsuKiMB é\n", &generator)
            if (try? Timestamp(rfc3339: text)) == nil { refused += 1 }
            if (try? DurationText.parse(text)) == nil { refused += 1 }
            if (try? ByteCount(parsing: text)) == nil { refused += 1 }
            if (try? UUIDv7(parsing: text)) == nil { refused += 1 }
            let pem = randomText("-BEGIND A\n", &generator)
            if (try? PEM.decode("-----BEGIN A-----\n" + pem)) == nil { refused += 1 }
        }
        #expect(refused > 0)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func readersNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<Self.rounds {
            let count = Int.random(in: 0...20, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var reader = ByteReader(bytes)
            for _ in 0..<6 {
                let before = reader.offset
                let isRead =
                    switch Int.random(in: 0..<6, using: &generator) {
                    case 0: (try? reader.readUInt64()) != nil
                    case 1: (try? reader.readPrefixed8()) != nil
                    case 2: (try? reader.readPrefixed16(limit: 9)) != nil
                    case 3: (try? reader.readPrefixed32(limit: .max)) != nil
                    case 4: (try? reader.readText32(limit: -1)) != nil
                    default:
                        (try? reader.readBytes(Int(truncatingIfNeeded: generator.next()))) != nil
                    }
                #expect(reader.offset <= count && (isRead || reader.offset == before))
            }
        }
    }
}
