import Foundation
import Wire

/// `turnpike-conformance SUITE`: cases on standard input, answers on standard output, a line each.
@main
enum Program {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 1, let name = arguments.first,
            let suite = Suite.all.first(where: { $0.name == name })
        else {
            complain(
                "usage: turnpike-conformance SUITE, where SUITE is one of "
                    + Suite.all.map(\.name).joined(separator: ", ")
            )
            exit(2)
        }
        var lines = LineCutter()
        while true {
            let chunk = FileHandle.standardInput.availableData
            for line in lines.cut(Array(chunk), atEnd: chunk.isEmpty) {
                switch suite.reply(to: line) {
                case .answer(let answer): FileHandle.standardOutput.write(Data(answer + [0x0A]))
                case .complaint(let text): complain(text)
                case .nothing: break
                }
            }
            if chunk.isEmpty { return }
        }
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
