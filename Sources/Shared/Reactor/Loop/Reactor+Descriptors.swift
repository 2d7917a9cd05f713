import CLinux

extension Reactor {
    /// Starts telling a handler about a descriptor's edges, both directions, until deregistered.
    ///
    /// The handler is held strongly and the descriptor is not owned. Readiness that exists already is
    /// reported in the next turn. `tag` comes back in the events.
    package func register(
        _ descriptor: borrowing Descriptor,
        tag: UInt32 = 0,
        handler: any EventHandler
    ) throws(SystemError) -> DescriptorToken {
        try register(number: descriptor.number, tag: tag, handler: handler)
    }

    /// As `register(_:tag:handler:)`, for a descriptor that a C library owns.
    package func register(
        number: Int32,
        tag: UInt32 = 0,
        handler: any EventHandler
    ) throws(SystemError) -> DescriptorToken {
        preconditionOnReactor()
        guard number >= 0 else { throw SystemError(errno: EBADF, call: .epoll) }
        let token = registrations.insert(number: number, tag: tag, handler: handler)
        let flags =
            CLINUX_EVENT_IN | CLINUX_EVENT_OUT | CLINUX_EVENT_PEER_CLOSED | CLINUX_EVENT_EDGE
        let added = clinux_epoll_add(epoll.number, number, token.rawValue, flags)
        if added < 0 {
            _ = registrations.remove(token)
            throw SystemError(errno: 0 &- added, call: .epoll)
        }
        return token
    }

    /// Ends a registration and lets go of its handler; a stale token does nothing.
    package func deregister(_ token: DescriptorToken) {
        assertOnReactor()
        guard let number = registrations.remove(token) else { return }
        _ = clinux_epoll_remove(epoll.number, number)
    }

    /// Ends a registration and closes its descriptor: cheaper than one after the other.
    ///
    /// Only for a descriptor without duplicates: closing the last one is what ends the kernel's
    /// interest; any event that still comes is dropped by its generation.
    package func deregister(_ token: DescriptorToken, closing descriptor: consuming Descriptor) {
        assertOnReactor()
        _ = registrations.remove(token)
        descriptor.close()
    }

    /// Calls the handler again after the others of this turn had their chance.
    ///
    /// For a reader that stops before `.wouldBlock` to stay fair: the kernel would not report the
    /// same bytes twice. Repeated calls for one token add up to one delivery.
    package func revisit(_ token: DescriptorToken, as events: ReadyEvents) {
        assertOnReactor()
        if registrations.addRevisit(events.flags, to: token) { revisits.append(token) }
    }

    /// Runs work at the end of this turn, after events, timers and jobs.
    package func later(_ work: @escaping (Reactor) -> Void) {
        assertOnReactor()
        deferred.append(work)
    }

    /// How many descriptors are registered.
    package var registrationCount: Int { registrations.count }
}
