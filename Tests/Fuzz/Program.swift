import Foundation

#if FUZZING
    import CFuzzer
#endif

#if FUZZING
    /// `deploy/fuzz` builds this one: `TURNPIKE_FUZZ_TARGET` names the target, the arguments are
    /// libFuzzer's.
    @main
    enum Program {
        static let target: FuzzTarget = {
            let name = ProcessInfo.processInfo.environment["TURNPIKE_FUZZ_TARGET"] ?? ""
            guard let target = FuzzTarget.named(name) else {
                fatalError("TURNPIKE_FUZZ_TARGET must name a target, not '\(name)'")
            }
            return target
        }()

        static func main() {
            var count = CommandLine.argc
            var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
                CommandLine.unsafeArgv
            let status = LLVMFuzzerRunDriver(&count, &arguments) { start, count in
                let bytes = Array(UnsafeBufferPointer(start: start, count: count))
                let target = Program.target
                if let fault = target.fault(bytes) { fatalError("\(target.name): \(fault)") }
                return 0
            }
            exit(status)
        }
    }
#else
    /// `turnpike-fuzz` lists the targets; `turnpike-fuzz TARGET FILE…` says what each file does.
    ///
    /// `deploy/fuzz` builds it with libFuzzer inside, which brings a `main` of its own.
    @main
    enum Program {
        static func main() throws {
            let arguments = Array(CommandLine.arguments.dropFirst())
            guard let name = arguments.first else {
                for target in FuzzTarget.all { print(target.name) }
                return
            }
            guard let target = FuzzTarget.named(name) else {
                FileHandle.standardError.write(Data("turnpike-fuzz: no target '\(name)'\n".utf8))
                exit(2)
            }
            var isFaulty = false
            for path in arguments.dropFirst() {
                let fault = target.fault(Array(try Data(contentsOf: URL(filePath: path))))
                if fault != nil { isFaulty = true }
                print("\(path): \(fault ?? "in order")")
            }
            exit(isFaulty ? 1 : 0)
        }
    }
#endif
