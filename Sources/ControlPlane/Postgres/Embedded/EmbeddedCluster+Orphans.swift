import Reactor

extension EmbeddedCluster {
    /// Gives the sessions of a killed server time to notice that it is gone.
    func waitForOrphans() async {
        let deadline = reactor.now + .seconds(10)
        while reactor.now < deadline, PostmasterFile.hasProcesses(in: settings.dataDirectory) {
            try? await reactor.sleep(for: .milliseconds(100))
        }
    }
}
