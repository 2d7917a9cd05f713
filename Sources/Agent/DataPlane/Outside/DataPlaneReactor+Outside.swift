import Mesh
import Reactor
import Snapshot
import TLS

extension DataPlaneReactor {
    /// The context of connections that leave the mesh: TLS as others run it, without a certificate of
    /// our own.
    static func outsideContext() throws(TLSConfigurationError) -> TLSContext {
        try TLSContext(
            client: TLSClientConfiguration(
                verifier: { _ in
                    .refuse(PeerRefusal(.otherIdentity, reason: "no name was asked for"))
                },
                signatures: .ecdsaOrRSA,
                versions: .from12
            )
        )
    }

    /// Follows the external targets of a snapshot.
    func followOutside(_ snapshot: ValidatedSnapshot) {
        let outside = outside
        let now = settings.now
        outside.value.follow(snapshot.hostedByMeshName.values.compactMap(\.external)) { target in
            OutsideOrigin(target, now: now) { outside.value.latestRefusal = $0 }
        }
    }

    /// Takes over where names lead; connections that waited for it go on, open ones stay.
    func apply(_ addresses: OutsideAddresses) {
        outside.value.addresses = addresses
        for connection in live.all { connection.outsideAddressesChanged() }
    }

    /// Where an external target is, with what is known of its health.
    func outsideTargets(of service: ServiceName) -> [Target] {
        guard let target = outside.value.origins[service]?.target else { return [] }
        return (outside.value.admitted(target) ?? []).map { address in
            Target(
                address: address,
                port: target.port,
                weight: 1,
                isDown: health.downInstances.contains(InstanceKey(outside: address, of: service))
            )
        }
    }
}
