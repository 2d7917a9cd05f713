import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import Wire

extension Subscription {
    /// What to do about an agent whose own certificate has ended.
    var expiredAdvice: String {
        "the agent's own certificate has expired: run `turnpike agent invite"
            + " \(enrolment.agent.text)` where the control plane is administered, then"
            + " `turnpike-agent join --token-file FILE` on this host; what is enforced stays"
            + " enforced meanwhile"
    }

    /// Notes the dates of the agent's own certificate.
    func readOwnCertificate() {
        let own: AgentIdentity
        do throws(EnrolmentError) {
            own = try AgentIdentity(in: folder)
        } catch {
            if !servers.isEmpty {
                logger.error("no usable agent certificate", ["problem": .describing(error)])
            }
            return
        }
        if renewals.schedule(of: .agent)?.notAfter != own.notAfter {
            renewals.held(.agent, schedule(own.notBefore, own.notAfter))
        }
        let isExpired = settings.now() > own.notAfter
        if isExpired, !hasWarnedExpired {
            logger.error("the agent cannot talk to its servers", ["advice": .text(expiredAdvice)])
        }
        hasWarnedExpired = isExpired
    }

    /// Reads the certificates of services from disk; what is not in order is asked for anew.
    func readLeaves(of services: Set<ServiceName>) {
        for service in services.sorted() {
            do throws(EnrolmentError) {
                guard let leaf = try leaves.read(service) else { continue }
                try check(leaf, of: service)
                identities[service] = leaf.identity
                renewals.held(.service(service), schedule(leaf.notBefore, leaf.notAfter))
            } catch {
                logger.warning(
                    "a certificate on disk is unusable",
                    ["service": .describing(service), "problem": .describing(error)]
                )
            }
        }
    }

    /// Whether a certificate on disk is what peers accept of this service, its dates aside: one of
    /// other roots or another name would be presented in vain until it is due.
    private func check(
        _ leaf: LeafFolder.Leaf,
        of service: ServiceName
    ) throws(EnrolmentError) {
        do throws(IssuedChainError) {
            try roots.check(
                leaf.chain,
                key: leaf.key,
                identity: spiffeID(of: .service(service)),
                now: min(
                    max(settings.now(), leaf.identity.notBefore),
                    leaf.identity.notAfter
                )
            )
        } catch {
            throw .unreadable(file: "the certificate of \(service)", problem: "\(error)")
        }
    }

    /// Removes keys of services that the restored snapshot does not name.
    func forgetLeaves(except services: Set<ServiceName>) {
        guard let held = try? leaves.services() else { return }
        for service in held where !services.contains(service) { perform(.forget(service)) }
    }

    /// Asks for every certificate that is missing or due.
    func requestDueCertificates() {
        guard connection != nil else { return }
        for action in renewals.ticked(now: settings.now()) { perform(action) }
    }

    func perform(_ action: RenewalMachine.Action) {
        switch action {
        case .forget(let service):
            identities[service] = nil
            metrics.forget(.service(service))
            zones[.service(service)] = nil
            do throws(FileError) {
                try leaves.forget(service)
            } catch {
                logger.warning("a key could not be removed", ["problem": .describing(error)])
            }
        case .giveUp(let id):
            failed(id, "no answer", retryAfter: nil)
        case .request(let id, let subject):
            do {
                let key = try keyForRequest(of: subject)
                let csr = try CertificateSigningRequest.make(for: key)
                keysUnderWay[id] = key
                send(
                    .certificateRequest(
                        CertificateRequest(id: id, service: subject.service, csr: csr)
                    )
                )
            } catch {
                failed(id, "\(error)", retryAfter: nil)
            }
        }
    }

    /// A new key for each certificate of a service; the agent keeps the key it was enrolled with,
    /// by which the servers know it.
    private func keyForRequest(of subject: CertificateSubject) throws -> SigningKey {
        switch subject {
        case .service: try SigningKey.generate(.ecdsaP256)
        case .agent: try AgentIdentity(in: folder).key
        }
    }

    func received(_ answer: CertificateAnswer) async {
        guard let key = keysUnderWay.removeValue(forKey: answer.id),
            let subject = renewals.subject(of: answer.id)
        else { return }
        guard answer.error == nil else {
            return failed(answer.id, answer.error ?? "", retryAfter: answer.retryAfter)
        }
        do {
            try roots.check(
                answer.chain,
                key: key.publicKey,
                identity: spiffeID(of: subject),
                now: settings.now()
            )
            try await adopt(answer.chain, key: key, of: subject)
        } catch {
            failed(answer.id, "\(error)", retryAfter: nil)
        }
    }

    private func adopt(
        _ chain: [[UInt8]],
        key: SigningKey,
        of subject: CertificateSubject
    ) async throws {
        switch subject {
        case .service(let service):
            let leaf = try leaves.write(chain: chain, key: key, of: service)
            identities[service] = leaf.identity
            renewals.held(subject, schedule(leaf.notBefore, leaf.notAfter))
            await enforce()
        case .agent:
            try KeyPairFile.write(
                chain: chain,
                key: key,
                certificate: folder.certificatePath,
                key: folder.keyPath
            )
            readOwnCertificate()
        }
        metrics.renewals.increment()
        logger.info(
            "holding a new certificate",
            [
                "subject": .describing(subject),
                "ends": .text(renewals.schedule(of: subject)?.notAfter.rfc3339 ?? ""),
            ]
        )
    }

    private func failed(_ id: UInt64, _ problem: String, retryAfter: Duration?) {
        let subject = renewals.subject(of: id)
        keysUnderWay[id] = nil
        metrics.renewalFailures.increment()
        logger.warning(
            "no certificate from the server",
            ["subject": .text(subject?.description ?? ""), "problem": .text(problem)]
        )
        renewals.failed(
            id,
            retryAfter: retryAfter,
            now: settings.now(),
            jitter: settings.jitter()
        )
    }

    private func spiffeID(of subject: CertificateSubject) -> SPIFFEID {
        switch subject {
        case .agent: SPIFFEID(agent: enrolment.agent, in: enrolment.trustDomain)
        case .service(let service): SPIFFEID(service: service, in: enrolment.trustDomain)
        }
    }

    private func schedule(_ notBefore: Timestamp, _ notAfter: Timestamp) -> RenewalSchedule {
        RenewalSchedule(notBefore: notBefore, notAfter: notAfter, jitter: settings.jitter())
    }
}
