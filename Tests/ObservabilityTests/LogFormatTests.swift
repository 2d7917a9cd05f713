import Observability
import Synchronization
import Testing

@Suite struct LogFormatTests {
    private func line(_ format: LogFormat, _ fields: Logger.Fields) -> String {
        let lines = Mutex<[String]>([])
        Logger(minimumLevel: .debug) { record in
            let bytes = format.line(record, time: "2026-01-01T00:00:00Z")
            lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
        }.info("peer refused", fields)
        return lines.withLock { $0.joined() }
    }

    @Test func jsonLine() {
        let text = line(
            .json,
            [
                "peer": "a\"b\\c\n\u{1B}[31m\u{202E}é", "port": 1, "ok": false,
                "took": .duration(.milliseconds(-1500)),
            ]
        )
        #expect(
            text == #"{"time":"2026-01-01T00:00:00Z","level":"info","message":"peer refused","#
                + #""peer":"a\"b\\c\n\u001b[31m\u202eé","port":1,"ok":false,"took":-1.500000}"#
                + "\n"
        )
    }

    @Test func textLine() {
        let text = line(
            .text,
            [
                "a": "bare", "b": "two words", "c": "", "d": "x=y\n",
                "e": .duration(.microseconds(5)),
            ]
        )
        #expect(
            text == #"2026-01-01T00:00:00Z INFO peer refused a=bare b="two words" c="" d="x=y\n" "#
                + "e=0.000005s\n"
        )
    }

    @Test(arguments: LogFormat.allCases)
    func valuesAreCutAndStayOnOneLine(format: LogFormat) {
        let long = String(repeating: "é\n", count: 10_000)
        let text = line(format, ["a": .text(long)])
        #expect(text.utf8.count < 2 * LogRecord.valueBytesMax)
        #expect(text.contains("…"))
        #expect(text.unicodeScalars.filter { $0 == "\n" }.count == 1)
    }

    @Test(arguments: LogFormat.allCases)
    func noControlCharacterGetsThrough(format: LogFormat) {
        var nasty = ""
        for value in [0, 7, 8, 0x1B, 0x7F, 0x85, 0x9B, 0x200B, 0x2028, 0x2066, 0xFEFF, 0xE0001] {
            if let scalar = Unicode.Scalar(UInt32(value)) { nasty.unicodeScalars.append(scalar) }
        }
        let text = line(format, ["a": .text(nasty)]).dropLast()
        #expect(text.utf8.allSatisfy { 0x20...0x7E ~= $0 })
        #expect(text.contains("\\udb40\\udc01"))
    }

    @Test func describesValues() {
        #expect(LogValue.describing(12) == .text("12"))
        #expect(LogValue.integer(UInt64.max) == .integer(Int64.max))
    }
}
