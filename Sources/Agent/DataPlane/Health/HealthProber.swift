import Mesh
import Reactor
import Wire

/// Probes the instances of this host by connecting to them.
///
/// Lives on the reactor that moves no traffic; at most `HealthMachine.probesMax` sockets.
final class HealthProber {
    private let reactor: Reactor
    private let now: @Sendable () -> Timestamp
    private let jitter: @Sendable () -> Double
    /// Told whenever an instance goes up or down.
    private let changed: (HealthMachine.Finding) -> Void
    private(set) var machine = HealthMachine()
    private var probes: [InstanceKey: Probe] = [:]
    private var timer = TimerToken.none
    private var isStopped = false

    init(
        reactor: Reactor,
        now: @escaping @Sendable () -> Timestamp,
        jitter: @escaping @Sendable () -> Double,
        changed: @escaping (HealthMachine.Finding) -> Void
    ) {
        self.reactor = reactor
        self.now = now
        self.jitter = jitter
        self.changed = changed
    }

    /// Probes these from now on, and no others.
    func configure(_ subjects: [HealthMachine.Subject]) {
        guard !isStopped else { return }
        machine.configured(subjects, now: reactor.now, wall: now(), jitter: jitter)
        probe()
    }

    /// Gives up the probes under way and begins no others.
    func stop() {
        isStopped = true
        reactor.cancel(timer)
        for probe in probes.values { probe.end() }
        probes = [:]
    }

    private func probe() {
        guard !isStopped else { return }
        for subject in machine.takeDue(now: reactor.now) {
            // An older probe of the same name that was reconfigured: its answer would not count.
            probes[subject.key]?.end()
            probes[subject.key] = nil
            let probe = Probe(subject, on: reactor) { [weak self] probe, problem in
                self?.answered(probe, problem)
            }
            probes[subject.key] = probe
            probe.begin()
        }
        reactor.cancel(timer)
        guard let due = machine.nextDue else { return }
        timer = reactor.schedule(at: due) { [weak self] _ in self?.probe() }
    }

    private func answered(_ probe: Probe, _ problem: String?) {
        let subject = probe.subject
        if probes[subject.key] === probe { probes[subject.key] = nil }
        let isChanged = machine.answered(
            subject,
            problem: problem,
            now: reactor.now,
            wall: now(),
            jitter: jitter()
        )
        if isChanged, let finding = machine.findings.first(where: { $0.key == subject.key }) {
            changed(finding)
        }
        self.probe()
    }
}

/// One attempt to connect.
private final class Probe: EventHandler, TimerHandler {
    let subject: HealthMachine.Subject
    private let reactor: Reactor
    private let answered: (Probe, String?) -> Void
    private var descriptor = Descriptor.closed
    private var token = DescriptorToken.none
    private var timer = TimerToken.none
    private var isOver = false

    init(
        _ subject: HealthMachine.Subject,
        on reactor: Reactor,
        answered: @escaping (Probe, String?) -> Void
    ) {
        self.subject = subject
        self.reactor = reactor
        self.answered = answered
    }

    func begin() {
        let target = Target(address: subject.address, port: subject.port, weight: 1)
        do throws(SystemError) {
            var connecting = try Socket.connect(to: target.socketAddress)
            descriptor = connecting.descriptor.take()
            token = try reactor.register(descriptor, handler: self)
            timer = reactor.schedule(after: subject.check.timeout, self)
        } catch {
            // Told later, so that the caller is not called back in the middle of its loop.
            let problem = "\(error)"
            reactor.later { _ in self.conclude(problem) }
        }
    }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        if let error = descriptor.takeError() { return conclude("\(error)") }
        guard events.isWritable else { return }
        conclude(nil)
    }

    func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        self.timer = .none
        conclude("no answer within \(DurationText.format(subject.check.timeout))")
    }

    /// Lets go of everything; nobody is told.
    func end() {
        isOver = true
        reactor.cancel(timer)
        reactor.deregister(token, closing: descriptor.take())
    }

    private func conclude(_ problem: String?) {
        guard !isOver else { return }
        end()
        answered(self, problem)
    }
}
