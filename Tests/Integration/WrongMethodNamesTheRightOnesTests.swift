import Foundation
import HTTP
import Support
import Testing
import Wire

struct WrongMethodNamesTheRightOnesTests {
    @Test func everyPathAnswersAMethodThatItDoesNotHaveWith405AndAllow() async throws {
        let server = try await SharedServer.get()
        let table = try await RouteTable(of: server)
        #expect(table.methods.count >= 25)
        for (template, methods) in table.methods {
            let operation = try #require(table.operations.first { $0.template == template })
            let target = String(operation.target().prefix { $0 != "?" })
            var allowed = methods
            if methods.contains(.get) { allowed.insert(.head) }
            for method in [HTTP.Method.get, .post, .put, .patch, .delete, .options]
            where !allowed.contains(method) {
                let answer = try await server.send(method, target)
                #expect(answer.status == 405, "\(method) \(target) \(answer.text)")
                let allow = answer.fields.first(.allow) ?? ""
                #expect(
                    Set(allow.components(separatedBy: ", ")) == Set(allowed.map(\.token)),
                    "\(method) \(target): \(allow)"
                )
            }
        }
    }

    @Test func anUnknownPathIsNotFoundForEverybody() async throws {
        let server = try await SharedServer.get()
        for target in ["/", "/v1", "/v1/nothing", "/v2/services", "/v1/services/a/b/c/d/e"] {
            let answer = try await server.send(.get, target)
            #expect(answer.status == 404, "\(target) \(answer.text)")
            #expect(answer.code == "request.path")
        }
    }
}
