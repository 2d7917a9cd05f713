import CLinux

/// A child that was just started, with this process's ends of its pipes.
struct SpawnedChild: ~Copyable {
    var descriptor: Descriptor
    var identity: Int32
    var input = Descriptor.closed
    var output = Descriptor.closed
    var error = Descriptor.closed

    /// Opens the streams and starts the program.
    static func start(_ command: Command) throws(SpawnError) -> SpawnedChild {
        func failure(_ stage: SpawnError.Stage, _ cause: SystemError) -> SpawnError {
            SpawnError(program: command.program, stage: stage, cause: cause)
        }
        guard command.isRepresentable else {
            throw failure(.arguments, SystemError(errno: EINVAL, call: .execve))
        }
        var input = StreamEnds(childs: -1)
        var output = StreamEnds(childs: -1)
        var error = StreamEnds(childs: -1)
        do throws(SystemError) {
            input = try StreamEnds.open(command.input)
            output = try StreamEnds.open(command.output, inherited: 1)
            error = try StreamEnds.open(command.error, inherited: 2)
        } catch {
            throw failure(.streams, error)
        }
        var identity: Int32 = -1
        var descriptor: Int32 = -1
        var stage: Int32 = 0
        let result = unsafe command.withKernelForm { form in
            unsafe form.input = input.childs
            unsafe form.output = output.childs
            unsafe form.error = error.childs
            return unsafe clinux_spawn_child(&form, &identity, &descriptor, &stage)
        }
        if result < 0 {
            let call = SystemCall(stage: stage)
            throw failure(.init(stage), SystemError(errno: 0 &- result, call: call))
        }
        return SpawnedChild(
            descriptor: Descriptor(owning: descriptor),
            identity: identity,
            input: input.ours.take(),
            output: output.ours.take(),
            error: error.ours.take()
        )
    }
}

/// The two sides of one standard stream while a child is being started.
private struct StreamEnds: ~Copyable {
    /// The number that becomes the child's stream; owned by `held`, or this process's own stream.
    var childs: Int32
    var held = Descriptor.closed
    var ours = Descriptor.closed

    static func open(_ input: Command.Input) throws(SystemError) -> StreamEnds {
        switch input {
        case .inherited: return StreamEnds(childs: 0)
        case .null: return try null()
        case .pipe:
            var pipe = try bothEnds()
            let child = pipe.reading.take()
            let parent = pipe.writing.take()
            try parent.setNonBlocking()
            return StreamEnds(childs: child.number, held: child, ours: parent)
        }
    }

    static func open(
        _ output: Command.Output,
        inherited number: Int32
    ) throws(SystemError) -> StreamEnds {
        switch output {
        case .inherited: return StreamEnds(childs: number)
        case .null: return try null()
        case .file(let path):
            let opened = try SystemError.check(unsafe clinux_open_append(path, 0o600), .open)
            return StreamEnds(childs: opened, held: Descriptor(owning: opened))
        case .pipe:
            var pipe = try bothEnds()
            let child = pipe.writing.take()
            let parent = pipe.reading.take()
            try parent.setNonBlocking()
            return StreamEnds(childs: child.number, held: child, ours: parent)
        }
    }

    init(
        childs: Int32,
        held: consuming Descriptor = .closed,
        ours: consuming Descriptor = .closed
    ) {
        self.childs = childs
        self.held = held
        self.ours = ours
    }

    private static func null() throws(SystemError) -> StreamEnds {
        let opened = try SystemError.check(clinux_open_null(), .open)
        return StreamEnds(childs: opened, held: Descriptor(owning: opened))
    }

    /// Both block: the child's end must, and only ours is changed.
    private static func bothEnds() throws(SystemError) -> PipeEnds {
        try Descriptor.blockingPipe()
    }
}

extension SpawnError.Stage {
    fileprivate init(_ stage: Int32) {
        self =
            switch stage {
            case CLINUX_SPAWN_STAGE_SESSION: .session
            case CLINUX_SPAWN_STAGE_REDIRECT: .redirect
            case CLINUX_SPAWN_STAGE_IDENTITY: .identity
            case CLINUX_SPAWN_STAGE_DIRECTORY: .directory
            case CLINUX_SPAWN_STAGE_EXECUTE: .execute
            default: .fork
            }
    }
}

extension SystemCall {
    fileprivate init(stage: Int32) {
        self =
            switch stage {
            case CLINUX_SPAWN_STAGE_SESSION: .setsid
            case CLINUX_SPAWN_STAGE_REDIRECT: .dup
            case CLINUX_SPAWN_STAGE_IDENTITY: .setuid
            case CLINUX_SPAWN_STAGE_DIRECTORY: .chdir
            case CLINUX_SPAWN_STAGE_EXECUTE: .execve
            default: .fork
            }
    }
}

extension Command {
    /// Whether every text fits into C: a zero byte would end it early, without anybody noticing.
    fileprivate var isRepresentable: Bool {
        var texts = [program, directory ?? ""] + arguments
        for (name, value) in environment {
            if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) { return false }
            texts += [name, value]
        }
        if case .file(let path) = output { texts.append(path) }
        if case .file(let path) = error { texts.append(path) }
        return !program.isEmpty && texts.allSatisfy { !$0.utf8.contains(0) }
    }

    /// Lends the command as C wants it, without the streams.
    fileprivate func withKernelForm(_ body: (inout clinux_spawn) -> Int32) -> Int32 {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return unsafe withCStrings([program] + arguments) { argumentList in
            unsafe withCStrings(variables) { variableList in
                unsafe program.withCString { programText in
                    unsafe withOptionalCString(directory) { directoryText in
                        let groups = user?.groups ?? []
                        return unsafe groups.withUnsafeBufferPointer { groupList in
                            var form = unsafe clinux_spawn()
                            unsafe form.program = programText
                            unsafe form.arguments = argumentList
                            unsafe form.environment = variableList
                            unsafe form.directory = directoryText
                            unsafe form.groups = groupList.baseAddress
                            unsafe form.group_count = Int32(groupList.count)
                            unsafe form.drop_privileges = user == nil ? 0 : 1
                            unsafe form.uid = user?.uid ?? 0
                            unsafe form.gid = user?.gid ?? 0
                            unsafe form.new_session = group == .session ? 1 : 0
                            unsafe form.new_process_group = group == .own ? 1 : 0
                            unsafe form.parent_death_signal = signalAtParentsEnd?.rawValue ?? 0
                            return unsafe body(&form)
                        }
                    }
                }
            }
        }
    }
}

private func withOptionalCString<Value>(
    _ text: String?,
    _ body: (UnsafePointer<CChar>?) -> Value
) -> Value {
    guard let text else { return body(nil) }
    return unsafe text.withCString { unsafe body($0) }
}

/// Lends texts as a null-terminated array of C strings.
private func withCStrings<Value>(
    _ texts: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Value
) -> Value {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for text in texts {
        offsets.append(bytes.count)
        bytes += text.utf8CString
    }
    return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
        var pointers = unsafe offsets.map { unsafe buffer.baseAddress?.advanced(by: $0) }
        unsafe pointers.append(nil)
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
