import HTTP

/// All routes of the API, found by method and path.
package struct RouteTable: Sendable {
    /// In the order of their declaration.
    package let routes: [Route]
    private let router: Router<Int>

    /// A table; two routes for the same requests, or two of one name, are our own bug.
    package init(_ routes: [Route]) {
        var router = Router<Int>()
        for (index, route) in routes.enumerated() {
            do {
                try router.add(route.method, route.template, index)
            } catch {
                preconditionFailure(error.sentence)
            }
        }
        precondition(
            Set(routes.map(\.name)).count == routes.count,
            "two routes have one name"
        )
        self.routes = routes
        self.router = router
    }

    /// What the table says about a method and a path.
    enum Match {
        case found(Route, Captures)
        case methodNotAllowed([Method])
        case notFound
        case refused(TextFault)
    }

    /// HEAD is GET, but for Vault's surface behind a token: a GET there may make what it answers, such
    /// as an account, and HEAD would lose it.
    func match(_ method: Method, path: String) -> Match {
        switch router.match(method, path: path) {
        case .found(let index, template: _, let captures):
            guard method == .head, routes[index].isVaultBehindAToken else {
                return .found(routes[index], captures)
            }
            // No route has OPTIONS: what is answered names the methods that there are.
            return match(.options, path: path)
        case .methodNotAllowed(let allow):
            guard case .found(let index, template: _, captures: _) = router.match(.get, path: path),
                routes[index].isVaultBehindAToken
            else { return .methodNotAllowed(allow) }
            return .methodNotAllowed(allow.filter { $0 != .head })
        case .notFound: return .notFound
        case .refused(let fault): return .refused(fault)
        }
    }
}

extension Route {
    fileprivate var isVaultBehindAToken: Bool {
        guard surface == .vault else { return false }
        if case .open = access { return false }
        return true
    }
}
