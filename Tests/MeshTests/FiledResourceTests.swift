import Mesh
import Testing
import Wire

@Suite struct FiledResourceTests {
    private func documents(_ text: String) throws -> [Document] {
        try YAML.parse(text, source: "mesh.yaml")
    }

    @Test func aResourceKnowsWhereItStands() throws {
        let document = try #require(
            try documents("kind: namespace\nname: a\n---\nkind: namespace\nname: b\n").last
        )
        let filed = try FiledResource(reading: document, source: "mesh.yaml")
        #expect(filed.resource.path == "namespaces/b")
        #expect(filed.located(".name: is taken") == "mesh.yaml:4: name: is taken")
        #expect(FiledResource.located("resources[0].name: x", [filed]) == "mesh.yaml:4: name: x")
        #expect(FiledResource.located("resources[1]: x", [filed]) == "resources[1]: x")
    }

    @Test func aWrongFieldIsToldByFileLineAndColumn() throws {
        let document = try #require(try documents("kind: namespace\nname: A\n").first)
        let problem = try #require(throws: FileProblem.self) {
            try FiledResource(reading: document, source: "mesh.yaml")
        }
        #expect(problem.description.hasPrefix("mesh.yaml:2:7: name: "))
    }
}
