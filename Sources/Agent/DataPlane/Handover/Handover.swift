import Mesh
package import Reactor

import Wire

/// How a running agent gives its place to a newer process of the same data directory, over a unix
/// socket in that directory.
///
/// The newer one asks; the older one lets go of its servers and its spool, and sends its listening
/// sockets and the lock of the directory; the newer one enforces the snapshot, listens, and says
/// that it is ready; the older one stops accepting, sends what evidence its last connections make,
/// and ends. Until the word that it is ready the older one accepts too, and if it never comes, goes
/// on as before. All functions here block: they are for threads that may wait.
package enum Handover {
    /// What the newer process says first; the number is that of this conversation.
    static let request = Array("turnpike-handover 1\n".utf8)
    /// What it says when it accepts connections.
    static let readiness = Array("ready\n".utf8)
    /// The field that stands in the place of the sockets where they are not given.
    private static let refusal = "refused"
    /// The longest reason that is read.
    private static let reasonBytesMax = 256
    /// The longest description of the sockets.
    static let planByteCountMax = 4 << 20
    /// How long either waits for the other's next word.
    package static let patience = Duration.seconds(30)
    /// The most sockets that are handed over.
    static let socketsMax = 1 << 20

    /// What one process hands to the next.
    package struct Inheritance: Sendable {
        /// Where the mesh port listens.
        package let meshAddress: SocketAddress
        /// The sockets that are listened on.
        package let sockets: ListeningSockets
        /// The lock of the data directory, held by both until the older one ends.
        package let lock: PassedDescriptors

        package init(
            meshAddress: SocketAddress,
            sockets: ListeningSockets,
            lock: PassedDescriptors
        ) {
            self.meshAddress = meshAddress
            self.sockets = sockets
            self.lock = lock
        }
    }

    /// Waits for the request of a process that connected, so that nobody is disturbed by one that
    /// says nothing.
    package static func awaitRequest(_ connection: borrowing Descriptor) throws(HandoverError) {
        guard try line(connection, limit: 64, timeout: .seconds(5)) == request else {
            throw HandoverError("it does not speak this conversation")
        }
    }

    /// The older one answers that it does not give its place away now.
    package static func refuse(
        _ reason: String,
        over connection: borrowing Descriptor
    ) throws(HandoverError) {
        let answer = Document.fields([refusal: .string(reason)])
        do throws(SystemError) {
            try PassedDescriptors().send(
                with: JSON.canonical(answer) + [10],
                over: connection,
                timeout: patience
            )
        } catch {
            throw HandoverError("\(error)")
        }
    }

    /// The older one sends everything and waits until the newer one is ready.
    package static func give(
        _ inheritance: Inheritance,
        over connection: borrowing Descriptor
    ) throws(HandoverError) {
        let all = PassedDescriptors()
        var kinds: [Document] = []
        func add(_ kind: Document, _ sockets: PassedDescriptors) {
            while sockets.count > 0 {
                all.append(sockets.takeFirst())
                kinds.append(kind)
            }
        }
        add("lock", inheritance.lock)
        add("mesh", inheritance.sockets.mesh)
        for (port, sockets) in inheritance.sockets.upstreams.sorted(by: { $0.key < $1.key }) {
            add(.number(port), sockets)
        }
        let plan = Document.fields([
            "mesh_address": .string(inheritance.meshAddress.description),
            "sockets": .list(kinds),
        ])
        do throws(SystemError) {
            try all.send(with: JSON.canonical(plan) + [10], over: connection, timeout: patience)
            while all.count > 0 { try all.send(with: [43], over: connection, timeout: patience) }
        } catch {
            throw HandoverError("\(error)")
        }
        guard try line(connection, limit: 64, timeout: patience) == readiness else {
            throw HandoverError("the newer process did not become ready")
        }
    }

    /// The newer one asks and takes everything.
    package static func take(
        over connection: borrowing Descriptor
    ) throws(HandoverError) -> Inheritance {
        let passed = PassedDescriptors()
        do throws(SystemError) {
            try PassedDescriptors().send(with: request, over: connection, timeout: patience)
        } catch {
            throw HandoverError("\(error)")
        }
        let bytes = try line(
            connection,
            limit: planByteCountMax,
            timeout: patience,
            keeping: passed
        )
        let (address, kinds) = try plan(bytes.dropLast())
        while passed.count < kinds.count {
            let before = passed.count
            do throws(SystemError) {
                _ = try passed.receive(byteCountMax: 1, over: connection, timeout: patience)
            } catch {
                throw HandoverError("\(error)")
            }
            guard passed.count > before else { throw HandoverError("sockets are missing") }
        }
        return sort(passed, kinds, address)
    }

    private static func sort(
        _ passed: PassedDescriptors,
        _ kinds: [SocketKind],
        _ address: SocketAddress
    ) -> Inheritance {
        let (lock, mesh) = (PassedDescriptors(), PassedDescriptors())
        var upstreams: [UInt16: PassedDescriptors] = [:]
        for kind in kinds {
            let socket = passed.takeFirst()
            switch kind {
            case .lock: lock.append(socket)
            case .mesh: mesh.append(socket)
            case .upstream(let port):
                let sockets = upstreams[port] ?? PassedDescriptors()
                sockets.append(socket)
                upstreams[port] = sockets
            }
        }
        return Inheritance(
            meshAddress: address,
            sockets: ListeningSockets(mesh: mesh, upstreams: upstreams),
            lock: lock
        )
    }

    /// The newer one accepts connections now.
    package static func declareReady(
        over connection: borrowing Descriptor
    ) throws(HandoverError) {
        do throws(SystemError) {
            try PassedDescriptors().send(with: readiness, over: connection, timeout: patience)
        } catch {
            throw HandoverError("\(error)")
        }
    }

    private enum SocketKind {
        case lock
        case mesh
        case upstream(UInt16)
    }

    private static func plan(
        _ bytes: some Sequence<UInt8>
    ) throws(HandoverError) -> (SocketAddress, [SocketKind]) {
        guard
            let plan = try? JSON.parse(
                Array(bytes),
                source: "handover",
                limits: DocumentLimits(bytes: .mebibytes(4), depth: 4, nodes: 2_000_000)
            )
        else { throw HandoverError("its list of sockets cannot be read") }
        if let reason = plan[refusal]?.text {
            throw HandoverError(String(decoding: reason.utf8.prefix(reasonBytesMax), as: UTF8.self))
        }
        guard
            let address = (plan["mesh_address"]?.text).flatMap({ SocketAddress($0) }),
            let items = plan["sockets"]?.items, items.count <= socketsMax
        else { throw HandoverError("its list of sockets cannot be read") }
        var kinds: [SocketKind] = []
        for item in items {
            switch (item.text, item.integer) {
            case ("lock", _): kinds.append(.lock)
            case ("mesh", _): kinds.append(.mesh)
            case (_, .some(let number)):
                guard let port = UInt16(exactly: number), port != 0 else {
                    throw HandoverError("its list of sockets holds no port")
                }
                kinds.append(.upstream(port))
            default: throw HandoverError("its list of sockets holds something unknown")
            }
        }
        return (address, kinds)
    }

    /// Bytes up to and with the line's end.
    private static func line(
        _ connection: borrowing Descriptor,
        limit: Int,
        timeout: Duration,
        keeping passed: PassedDescriptors = PassedDescriptors()
    ) throws(HandoverError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.last != 10 {
            let part: [UInt8]
            do throws(SystemError) {
                // Not a byte beyond the line, with which further sockets may come; the other side
                // says nothing more before it is asked.
                part = try passed.receive(
                    byteCountMax: min(65_536, limit - bytes.count),
                    over: connection,
                    timeout: timeout
                )
            } catch {
                throw HandoverError("\(error)")
            }
            guard !part.isEmpty, bytes.count + part.count < limit else {
                throw HandoverError("it hung up, or says too much")
            }
            if let end = part.firstIndex(of: 10), end != part.count - 1 {
                guard part[(end + 1)...].allSatisfy({ $0 == 43 }) else {
                    throw HandoverError("it says more than one line")
                }
                return bytes + part[...end]
            }
            bytes += part
        }
        return bytes
    }
}

/// Why a hand-over did not come about.
package struct HandoverError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
