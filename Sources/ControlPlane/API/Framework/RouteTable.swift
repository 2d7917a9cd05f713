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

    func match(_ method: Method, path: String) -> Match {
        switch router.match(method, path: path) {
        case .found(let index, template: _, let captures): .found(routes[index], captures)
        case .methodNotAllowed(let allow): .methodNotAllowed(allow)
        case .notFound: .notFound
        case .refused(let fault): .refused(fault)
        }
    }
}
