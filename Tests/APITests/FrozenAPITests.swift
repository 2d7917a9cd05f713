import API
import Foundation
import HTTP
import Support
import Testing
import Wire

/// Programs that were written against version 0.1.0 keep working.
///
/// `Tests/Frozen/0.1.0/openapi.json` is what that version said of itself; it never changes.
@Suite struct FrozenAPITests {
    private typealias Object = [String: Any]

    private let frozen: Object

    init() throws {
        frozen = try Self.object(
            Data(contentsOf: Repository.frozen("0.1.0").appending(path: "openapi.json"))
        )
    }

    private static func current() async throws -> Object {
        var document: Object = [:]
        try await APIFixture.with { fixture in
            let answer = try await fixture.send(.get, "/v1/openapi.json", token: nil)
            document = try object(Data(JSON.canonical(answer.body)))
        }
        return document
    }

    private static func object(_ data: Data) throws -> Object {
        try #require(try JSONSerialization.jsonObject(with: data) as? Object)
    }

    private func operations(_ document: Object) -> [String: Object] {
        var operations: [String: Object] = [:]
        for (path, methods) in document["paths"] as? [String: Object] ?? [:] {
            for (method, operation) in methods {
                operations["\(method) \(path)"] = operation as? Object
            }
        }
        return operations
    }

    private func parameters(_ operation: Object) -> [String: Object] {
        let list = operation["parameters"] as? [Object] ?? []
        return Dictionary(
            list.map { ("\($0["in"] ?? "") \($0["name"] ?? "")", $0) },
            uniquingKeysWith: { $1 }
        )
    }

    private func schema(_ holder: Any?) -> Object? {
        let content = (holder as? Object)?["content"] as? [String: Object]
        return content?["application/json"]?["schema"] as? Object
    }

    @Test func everyOperationIsStillThere() async throws {
        let old = Set(operations(frozen).keys)
        #expect(old.count > 40)
        #expect(old.subtracting(operations(try await Self.current()).keys) == [])
    }

    @Test func whatWasAcceptedStillIs() async throws {
        let current = operations(try await Self.current())
        for (name, old) in operations(frozen) {
            guard let new = current[name] else { continue }
            let (oldParameters, newParameters) = (parameters(old), parameters(new))
            for (key, parameter) in newParameters where parameter["required"] as? Bool == true {
                #expect(oldParameters[key]?["required"] as? Bool == true, "\(name) needs \(key)")
            }
            #expect(Set(oldParameters.keys).subtracting(newParameters.keys) == [], "\(name)")
            if let body = schema(old["requestBody"]) {
                compare(body, schema(new["requestBody"]), "\(name) request", isRequest: true)
            }
        }
    }

    @Test func whatWasAnsweredStillIs() async throws {
        let current = operations(try await Self.current())
        for (name, old) in operations(frozen) {
            let newResponses = current[name]?["responses"] as? Object ?? [:]
            for (status, response) in old["responses"] as? Object ?? [:]
            where status.hasPrefix("2") {
                #expect(newResponses[status] != nil, "\(name) no longer answers \(status)")
                if let body = schema(response) {
                    compare(
                        body,
                        schema(newResponses[status]),
                        "\(name) \(status)",
                        isRequest: false
                    )
                }
            }
        }
    }

    /// A request may ask for no more than it did; an answer may hold no less.
    private func compare(_ old: Object, _ new: Object?, _ place: String, isRequest: Bool) {
        guard let new else {
            Issue.record("\(place) is gone")
            return
        }
        let oldType = old["type"] as? String
        let newType = new["type"] as? String
        #expect(oldType == newType, "\(place)")
        let oldValues = Set(old["enum"] as? [String] ?? [])
        if let newValues = new["enum"] as? [String], isRequest {
            #expect(oldValues.isSubset(of: newValues), "\(place)")
        }
        if isRequest {
            let demanded = Set(new["required"] as? [String] ?? [])
            #expect(demanded.subtracting(old["required"] as? [String] ?? []) == [], "\(place)")
        }
        let properties = new["properties"] as? [String: Object] ?? [:]
        for (field, schema) in old["properties"] as? [String: Object] ?? [:] {
            compare(schema, properties[field], "\(place).\(field)", isRequest: isRequest)
        }
        if let items = old["items"] as? Object {
            compare(items, new["items"] as? Object, "\(place)[]", isRequest: isRequest)
        }
    }
}
