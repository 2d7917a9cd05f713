import Observability
package import Reactor

/// The listening sockets of an agent, for the process that takes its place.
///
/// Both processes may listen on them at once: a connection goes to one of the two, and none is lost
/// when the older one closes its own.
package struct ListeningSockets: Sendable {
    /// One for each reactor.
    package let mesh: PassedDescriptors
    /// For each upstream port one for each reactor.
    package let upstreams: [UInt16: PassedDescriptors]

    package init(mesh: PassedDescriptors, upstreams: [UInt16: PassedDescriptors]) {
        self.mesh = mesh
        self.upstreams = upstreams
    }
}

extension DataPlane {
    /// Second owners of all sockets that are listened on; listening goes on.
    package func listeningSockets() async throws(SystemError) -> ListeningSockets {
        let mesh = PassedDescriptors()
        var upstreams: [UInt16: PassedDescriptors] = [:]
        for lane in lanes {
            let part = await lane.run { lane in
                Result { () throws(SystemError) in try lane.listeningSockets() }
            }
            let sockets = try part.get()
            while sockets.mesh.count > 0 { mesh.append(sockets.mesh.takeFirst()) }
            for (port, more) in sockets.upstreams {
                let all = upstreams[port] ?? PassedDescriptors()
                while more.count > 0 { all.append(more.takeFirst()) }
                upstreams[port] = all
            }
        }
        return ListeningSockets(mesh: mesh, upstreams: upstreams)
    }

    /// Listens on these wherever it would make sockets of its own; before `start` and `apply`.
    package func inherit(_ sockets: ListeningSockets) async {
        for lane in lanes { await lane.run { $0.inherited = sockets } }
    }

    /// Listens also on those that no reactor took, since the older process had more of them, and
    /// closes those whose port is gone; after `start` and the first `apply`.
    package func adoptRemaining() async {
        for (index, lane) in lanes.enumerated() {
            await lane.run { lane in
                if index == 0 { lane.adoptRemaining() }
                lane.inherited = nil
            }
        }
    }
}

extension DataPlaneReactor {
    fileprivate func listeningSockets() throws(SystemError) -> ListeningSockets {
        let mesh = PassedDescriptors()
        if let meshListener { mesh.append(try meshListener.duplicate()) }
        var upstreams: [UInt16: PassedDescriptors] = [:]
        for (port, listener) in upstreamListeners {
            let passed = PassedDescriptors()
            passed.append(try listener.duplicate())
            upstreams[port] = passed
        }
        for (port, listener) in adoptedListeners {
            let duplicate = try listener.duplicate()
            guard let port else {
                mesh.append(duplicate)
                continue
            }
            upstreams[port, default: PassedDescriptors()].append(duplicate)
        }
        return ListeningSockets(mesh: mesh, upstreams: upstreams)
    }

    fileprivate func adoptRemaining() {
        guard let inherited else { return }
        adopt(inherited.mesh, port: nil)
        for (port, sockets) in inherited.upstreams where upstreamListeners[port] != nil {
            adopt(sockets, port: port)
        }
    }

    private func adopt(_ sockets: PassedDescriptors, port: UInt16?) {
        while sockets.count > 0 {
            do throws(SystemError) {
                adoptedListeners.append((port, try listener(sockets.takeFirst(), port: port)))
            } catch {
                logger.error(
                    "an inherited socket cannot be listened on",
                    ["error": .describing(error)]
                )
            }
        }
    }
}
