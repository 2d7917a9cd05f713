package import Mesh

/// The policies that exist without a row, so that no row can change them.
package enum BuiltInPolicies {
    /// Everything, `sudo` included.
    package static let adminName = "admin"
    /// Everything that only looks; no secret and no credential is merely looked at.
    package static let readOnlyName = "read-only"

    /// All of them, by name.
    package static let all: [AccessPolicy] = [
        make(adminName, Set(Capability.allCases).subtracting([.deny])),
        make(
            readOnlyName,
            [.read, .list],
            except: ["secret/data/*", "secret/subkeys/*", "database/creds/*"]
        ),
    ]

    /// The built-in policy of a name.
    package static func find(_ name: String) -> AccessPolicy? {
        all.first { $0.name == name }
    }

    private static func make(
        _ name: String,
        _ capabilities: Set<Capability>,
        except denied: [String] = []
    ) -> AccessPolicy {
        do {
            var rules = [AccessPolicy.Rule(path: try PathGlob("*"), capabilities: capabilities)]
            for path in denied {
                rules.append(AccessPolicy.Rule(path: try PathGlob(path), capabilities: [.deny]))
            }
            return try AccessPolicy(name: name, rules: rules)
        } catch {
            preconditionFailure("a built-in policy is malformed: \(error)")
        }
    }
}
