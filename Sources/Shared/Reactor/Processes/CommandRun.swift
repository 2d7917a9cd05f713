/// What a command that ran to its end left.
package struct CommandOutcome: Hashable, Sendable {
    package let status: ChildStatus
    package let output: [UInt8]
    package let error: [UInt8]
    /// Whether more was written than was kept.
    package let isTruncated: Bool
}

/// Why a command has no outcome.
package enum CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case notStarted(SpawnError)
    /// It took too long, or the task was cancelled, and it was killed.
    case killed

    package var description: String {
        switch self {
        case .notStarted(let error): "\(error)"
        case .killed: "ran out of time and was killed"
        }
    }
}

extension Command {
    /// Bytes kept of each stream, if not said otherwise.
    package static let outputByteCountMaxDefault = 1 << 20

    /// Runs the command to its end, giving it `input` and keeping what it writes.
    ///
    /// From any task.
    ///
    /// Output and error become pipes. Ends with the child itself, not with grandchildren that still
    /// hold the pipes. When the deadline passes or the task is cancelled, the child's group is killed.
    package func run(
        input: [UInt8] = [],
        on reactor: Reactor,
        deadline: Duration,
        outputByteCountMax: Int = outputByteCountMaxDefault
    ) async throws(CommandFailure) -> CommandOutcome {
        var command = self
        command.input = input.isEmpty ? self.input : .pipe
        command.output = .pipe
        command.error = .pipe
        let started = command
        let result: Result<CommandRun, SpawnError> = await reactor.perform { reactor in
            do throws(SpawnError) {
                let child = try ChildProcess.spawn(started, on: reactor)
                return .success(CommandRun(child, input: input, byteCountMax: outputByteCountMax))
            } catch {
                return .failure(error)
            }
        }
        let run: CommandRun
        switch result {
        case .success(let running): run = running
        case .failure(let error): throw .notStarted(error)
        }
        let ended = await run.child.exitStatus(deadline: .now.advanced(by: deadline))
        guard let ended else {
            _ = await run.child.stop(.kill, grace: .seconds(1))
            await reactor.perform { _ in run.close() }
            throw .killed
        }
        return await reactor.perform { _ in run.finish(ended) }
    }
}

/// Moves bytes between a child's pipes and memory.
///
/// Sendable because its state is touched only on the reactor's thread.
private final class CommandRun: EventHandler, @unchecked Sendable {
    let child: ChildProcess

    private static let inputTag: UInt32 = 0
    private static let outputTag: UInt32 = 1
    private static let errorTag: UInt32 = 2
    private static let readsPerTurnMax = 4

    private let byteCountMax: Int
    private let input: [UInt8]
    private var sentCount = 0
    private var pipes: [Pipe] = []
    private var kept: [[UInt8]] = [[], [], []]
    private var isTruncated = false

    /// A pipe in a class, so that an array can hold its descriptor.
    private final class Pipe {
        var descriptor: Descriptor
        var token = DescriptorToken.none

        init(_ descriptor: consuming Descriptor) {
            self.descriptor = descriptor
        }
    }

    init(_ child: ChildProcess, input: [UInt8], byteCountMax: Int) {
        self.child = child
        self.input = input
        self.byteCountMax = byteCountMax
        pipes = [
            Pipe(child.takeInput()), Pipe(child.takeOutput()), Pipe(child.takeError()),
        ]
        for (tag, pipe) in pipes.enumerated() where pipe.descriptor.isOpen {
            do throws(SystemError) {
                let tag = UInt32(tag)
                pipe.token = try child.reactor.register(pipe.descriptor, tag: tag, handler: self)
            } catch {
                pipe.descriptor.close()
                isTruncated = true
            }
        }
    }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        if events.tag == Self.inputTag { return write(on: reactor) }
        for _ in 0..<Self.readsPerTurnMax {
            guard read(Int(events.tag), on: reactor) else { return }
        }
        reactor.revisit(pipes[Int(events.tag)].token, as: .readable)
    }

    /// Takes what the pipes still hold, ends them and tells the outcome.
    func finish(_ status: ChildStatus) -> CommandOutcome {
        for tag in [Self.outputTag, Self.errorTag] {
            // Bounded, since a grandchild could write for ever.
            var rounds = 1 << 20 / Reactor.scratchByteCount + 1
            while rounds > 0, read(Int(tag), on: child.reactor) { rounds -= 1 }
        }
        close()
        return CommandOutcome(
            status: status,
            output: kept[Int(Self.outputTag)],
            error: kept[Int(Self.errorTag)],
            isTruncated: isTruncated
        )
    }

    func close() {
        for pipe in pipes { end(pipe, on: child.reactor) }
    }

    private func end(_ pipe: Pipe, on reactor: Reactor) {
        reactor.deregister(pipe.token, closing: pipe.descriptor.take())
        pipe.token = .none
    }

    private func write(on reactor: Reactor) {
        let pipe = pipes[Int(Self.inputTag)]
        let input = input
        while pipe.descriptor.isOpen, sentCount < input.count {
            let rest = input.span.extracting(sentCount...)
            switch pipe.descriptor.write(rest) {
            case .bytes(let count): sentCount += count
            case .wouldBlock: return
            case .endOfFile, .failed: return end(pipe, on: reactor)
            }
        }
        if pipe.descriptor.isOpen { end(pipe, on: reactor) }
    }

    /// Reads once; false when there is nothing more for now.
    private func read(_ tag: Int, on reactor: Reactor) -> Bool {
        let pipe = pipes[tag]
        guard pipe.descriptor.isOpen else { return false }
        return reactor.withScratch { scratch in
            switch pipe.descriptor.read(into: &scratch) {
            case .bytes(let count):
                keep(scratch.span.extracting(first: count), as: tag)
                return true
            case .wouldBlock:
                return false
            case .endOfFile, .failed:
                end(pipe, on: reactor)
                return false
            }
        }
    }

    private func keep(_ bytes: Span<UInt8>, as tag: Int) {
        let room = max(0, byteCountMax - kept[tag].count)
        if bytes.count > room { isTruncated = true }
        let kept = bytes.extracting(first: min(room, bytes.count))
        for index in kept.indices { self.kept[tag].append(kept[index]) }
    }
}
