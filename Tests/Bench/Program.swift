import Foundation
import Reactor
import Wire

/// `turnpike-bench`: what `deploy/bench` measures the control plane with.
///
/// - `leaves SECONDS`: certificates from requests, on one core, without a database.
/// - `reads ADDRESS AUTHORITY TOKEN-FILE PATH CONNECTIONS SECONDS`: one GET over and over.
/// - `enrol ADDRESS AUTHORITY TOKEN-FILE STATE PREFIX FIRST COUNT PLACEMENT`: agents, for real.
/// - `fleet ADDRESS STATE`: their streams; orders on standard input, answers on standard output.
/// - `issue ADDRESS AUTHORITY TOKENS-FILE BODY CONNECTIONS COUNT`: leases, for real.
/// - `seed DATABASE-DIRECTORY KEK-FILE TRUST-DOMAIN PROFILE COUNT`: rows of leases.
/// - `origin ADDRESS`: what stands behind the proxies of the data plane.
/// - `load ADDRESS MODE CONNECTIONS SECONDS RATE`: what a local program sends through them.
///
/// Each answer is one line of JSON. Exits 1 when the work failed, 2 for a wrong call.
@main
enum Program {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch (arguments.first, arguments.count) {
            case ("leaves", 2):
                let run = try LeafIssuing()
                try say(run.measure(seconds: seconds(arguments[1])))
            case ("reads", 7):
                let site = try Site(address: arguments[1], authorityFile: arguments[2])
                let run = ReadLoad(
                    site: site,
                    token: try text(ofFile: arguments[3]),
                    target: arguments[4],
                    connectionCount: try count(arguments[5])
                )
                say(try await run.measure(seconds: seconds(arguments[6])))
            case ("enrol", 9):
                let site = try Site(address: arguments[1], authorityFile: arguments[2])
                let run = Enrolling(
                    site: site,
                    token: try text(ofFile: arguments[3]),
                    stateFile: arguments[4],
                    placement: arguments[8]
                )
                let first = try count(arguments[6])
                let numbers = first..<(first + (try count(arguments[7])))
                say(try await run.perform(prefix: arguments[5], numbers: numbers))
            case ("fleet", 3):
                try await Fleet(address: arguments[1], stateFile: arguments[2]).obey()
            case ("issue", 7):
                let load = IssueLoad(
                    site: try Site(address: arguments[1], authorityFile: arguments[2]),
                    tokens: try text(ofFile: arguments[3]).split(separator: "\n").map(String.init),
                    leasesPerToken: 100,
                    body: Array(arguments[4].utf8),
                    connectionCount: try count(arguments[5])
                )
                say(try await load.measure(count: try count(arguments[6])))
            case ("seed", 6):
                let seeding = LeaseSeeding(
                    databaseDirectory: arguments[1],
                    keyFile: arguments[2],
                    trustDomain: arguments[3]
                )
                say(try await seeding.perform(arguments[4], count: try count(arguments[5])))
            case ("origin", 2): try await Origin.serve(on: try address(arguments[1]))
            case ("load", 6):
                guard let mode = RelayLoad.Mode(rawValue: arguments[2]) else {
                    throw BenchError("'\(arguments[2])' is no kind of load")
                }
                let load = RelayLoad(
                    address: try address(arguments[1]),
                    mode: mode,
                    connectionCount: try count(arguments[3]),
                    seconds: try seconds(arguments[4]),
                    rate: Double(try count(arguments[5]))
                )
                try await load.measure()
            default:
                complain(
                    "usage: leaves|reads|enrol|fleet|issue|seed|origin|load, see Program.swift"
                )
                exit(2)
            }
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    /// One line, at once: whoever measures waits for it.
    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        FileHandle.standardError.write(Data(("turnpike-bench: " + text + "\n").utf8))
    }

    private static func text(ofFile path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    private static func address(_ text: String) throws -> SocketAddress {
        guard let address = SocketAddress(text) else {
            throw BenchError("'\(text)' is no address with a port")
        }
        return address
    }

    private static func count(_ text: String) throws -> Int {
        guard let number = Int(text), (0...1_000_000).contains(number) else {
            throw BenchError("'\(text)' is no count from 0 to 1,000,000")
        }
        return number
    }

    private static func seconds(_ text: String) throws -> Double {
        guard let number = Double(text), (0...3_600).contains(number) else {
            throw BenchError("'\(text)' is no number of seconds from 0 to 3,600")
        }
        return number
    }
}

/// Why a measurement came to nothing.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What the process has cost so far.
enum Cost {
    /// Seconds of processor time, user and system.
    static var processorSeconds: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        let parts = [usage.ru_utime, usage.ru_stime]
        return parts.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    static var now: Timestamp { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) }
}
