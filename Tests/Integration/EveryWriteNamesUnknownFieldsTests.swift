import Foundation
import HTTP
import Support
import Testing
import Wire

struct EveryWriteNamesUnknownFieldsTests {
    private func adding(_ field: String, to operation: RouteTable.Operation) -> String {
        let body = operation.body(naming: "fields")
        if operation.id == "apply" {
            return body.replacingOccurrences(of: "}]}", with: ",\(field)}]}")
        }
        return body == "{}" ? "{\(field)}" : body.dropLast() + ",\(field)}"
    }

    @Test func everyOperationWithABodyRefusesAFieldThatItDoesNotKnow() async throws {
        let server = try await SharedServer.get()
        let operations = try await RouteTable(of: server).operations
            .filter { $0.takesBody && $0.needsToken }
        #expect(operations.count >= 10)
        for operation in operations {
            let answer = try await server.send(
                operation.method,
                operation.target(naming: "fields"),
                body: adding(#""no_such_field":1"#, to: operation)
            )
            #expect(answer.status == 400, "\(operation) \(answer.text)")
            #expect(
                answer.errors.contains { $0.contains("no_such_field") },
                "\(operation) \(answer.text)"
            )
        }
        let made = try await server.send(.get, "/v1/services/fields/fields")
        #expect(made.status == 404, "a refused write wrote")
    }

    @Test func everyOperationWithABodyRefusesTheSameFieldTwice() async throws {
        let server = try await SharedServer.get()
        for operation in try await RouteTable(of: server).operations
        where operation.takesBody && operation.needsToken {
            let answer = try await server.send(
                operation.method,
                operation.target(naming: "fields"),
                body: adding(#""description":"a","description":"b""#, to: operation)
            )
            #expect(answer.status == 400, "\(operation) \(answer.text)")
        }
    }

    @Test func everyOperationRefusesAQueryThatItDoesNotKnow() async throws {
        let server = try await SharedServer.get()
        for operation in try await RouteTable(of: server).operations where operation.needsToken {
            let target = operation.target(naming: "fields")
            let answer = try await server.send(
                operation.method,
                target + (target.contains("?") ? "&" : "?") + "no_such_parameter=1",
                body: operation.body(naming: "fields")
            )
            #expect(answer.status == 400, "\(operation) \(answer.text)")
            #expect(
                answer.errors.contains { $0.contains("no_such_parameter") },
                "\(operation) \(answer.text)"
            )
        }
    }
}
