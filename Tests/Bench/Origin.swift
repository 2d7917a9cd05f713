import Reactor
import Transport

/// What stands behind the proxies: answers requests of one size with answers of one size, or with
/// bytes without end.
enum Origin {
    /// A request: its first byte says what is wanted.
    static let requestByteCount = 64
    static let answerByteCount = 1_024
    static let oneAnswer = UInt8(ascii: "a")
    static let noEnd = UInt8(ascii: "b")

    private static let portion = [UInt8](repeating: 120, count: 64 << 10)

    static func request(_ kind: UInt8) -> [UInt8] {
        [UInt8](repeating: kind, count: requestByteCount)
    }

    /// Serves until the process is ended.
    static func serve(on address: SocketAddress) async throws {
        let thread = try ReactorThread(name: "origin")
        let server = try await StreamServer.start(
            on: address,
            reactors: [thread.reactor],
            security: nil
        ) { connection, _ in
            do throws(StreamError) {
                try await answer(connection)
            } catch {
                // The other side has gone, as it should at the end.
                return
            }
        }
        Program.say("{\"listening\":\"\(server.localAddress)\"}")
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private static func answer(_ connection: StreamConnection) async throws(StreamError) {
        let answer = Array(portion.prefix(answerByteCount))
        var waiting = 0
        while let bytes = try await connection.read() {
            if bytes.first == noEnd {
                while true { try await connection.write(portion) }
            }
            waiting += bytes.count
            while waiting >= requestByteCount {
                waiting -= requestByteCount
                try await connection.write(answer)
            }
        }
    }
}
