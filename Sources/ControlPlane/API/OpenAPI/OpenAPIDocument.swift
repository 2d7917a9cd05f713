import HTTP
package import Wire

/// The OpenAPI 3.1 description of the API, written from the route table.
package enum OpenAPIDocument {
    /// The whole document.
    package static func make(_ routes: [Route], version: String) -> Document {
        var paths: [String: Document] = [:]
        for route in routes {
            // A capture of the rest of a path has no spelling of its own there.
            let template = route.template.replacing("...}", with: "}")
            var operations = paths[template] ?? .map([:] as [String: Document])
            // The verb LIST is no operation that OpenAPI knows.
            let verb = route.method == .list ? "x-list" : route.method.token.lowercased()
            operations.set(verb, operation(route))
            paths[template] = operations
        }
        return Document.fields([
            "openapi": .string("3.1.0"),
            "info": Document.fields([
                "title": .string("Turnpike control plane"),
                "version": .string(version),
                "description": .string(
                    "Services, intentions, agents, certificates and the audit trail."
                ),
            ]),
            "paths": .map(paths),
            "components": components,
        ])
    }

    private static var components: Document {
        Document.fields([
            "schemas": Document.fields([
                "Error": Document.fields([
                    "type": .string("object"),
                    "required": .list(["errors", "code", "request_id"]),
                    "properties": Document.fields([
                        "errors": Document.fields([
                            "type": .string("array"),
                            "items": Document.fields(["type": .string("string")]),
                            "description": .string("What is wrong and what would be right"),
                        ]),
                        "code": Document.fields([
                            "type": .string("string"),
                            "examples": .list(["intention.duplicate"]),
                        ]),
                        "request_id": Document.fields(["type": .string("string")]),
                    ]),
                ]),
                "VaultError": vaultError,
            ]),
            "securitySchemes": Document.fields([
                "bearer": Document.fields([
                    "type": .string("http"),
                    "scheme": .string("bearer"),
                ]),
                "vault_token": apiKey("X-Vault-Token"),
                "consul_token": apiKey("X-Consul-Token"),
            ]),
        ])
    }

    /// As Vault refuses; nothing is the only thing that an unknown path says.
    private static var vaultError: Document {
        Document.fields([
            "type": .string("object"),
            "required": .list(["errors"]),
            "properties": Document.fields([
                "errors": Document.fields([
                    "type": .string("array"),
                    "items": Document.fields(["type": .string("string")]),
                    "description": .string("What is wrong; empty where there is nothing"),
                ]),
                "code": Document.fields(["type": .string("string")]),
                "request_id": Document.fields([
                    "type": .string("string"),
                    "description": .string("For /v1/explain"),
                ]),
            ]),
        ])
    }

    private static func apiKey(_ field: String) -> Document {
        Document.fields([
            "type": .string("apiKey"),
            "in": .string("header"),
            "name": .string(field),
        ])
    }

    private static func operation(_ route: Route) -> Document {
        let body = route.request.map { schema in
            Document.fields([
                "required": .bool(route.surface == .native),
                "content": content(schema),
            ])
        }
        let parameters = parameters(of: route)
        return Document.fields([
            "operationId": .string(route.name),
            "summary": .string(route.summary),
            "tags": .list([route.room]),
            "parameters": parameters.isEmpty ? nil : .list(parameters),
            "requestBody": body,
            "security": security(route),
            "responses": Document.fields([
                String(route.status.code): Document.fields([
                    "description": .string(route.status.reasonPhrase),
                    "content": route.status.forbidsBody ? nil : content(answer(of: route)),
                ]),
                "default": Document.fields([
                    "description": .string("Refused or failed"),
                    "content": Document.fields([
                        MediaType.jsonText: Document.fields([
                            "schema": Document.fields([
                                "$ref": .string(
                                    route.surface == .vault
                                        ? "#/components/schemas/VaultError"
                                        : "#/components/schemas/Error"
                                )
                            ])
                        ])
                    ]),
                ]),
            ]),
        ])
    }

    /// What a route answers; who waits for enforcement is told of it in the same object.
    private static func answer(of route: Route) -> Schema {
        guard route.features.contains(.waitsEnforced), case .object(let fields) = route.response
        else { return route.response }
        return .object(
            fields + [
                .readOnly(
                    "enforced",
                    APIServices.Enforcement.schema,
                    "Who enforces the change; with `wait=enforced` only"
                )
            ]
        )
    }

    private static func security(_ route: Route) -> Document {
        switch route.access {
        case .open, .enrolment: .list([Document]())
        case .authenticated, .resource, .anyOf, .objects:
            .list(
                ["bearer", "vault_token", "consul_token"].map { name in
                    Document.fields([name: .list([Document]())])
                }
            )
        }
    }

    private static func content(_ schema: Schema) -> Document {
        Document.fields([
            MediaType.jsonText: Document.fields(["schema": document(of: schema)])
        ])
    }

    private static func parameters(of route: Route) -> [Document] {
        var parameters: [Document] = []
        let captures = (try? RouteTemplate(route.template))?.captureNames ?? []
        for name in captures {
            parameters.append(
                parameter(name, in: "path", .text(), "Part of the path", isRequired: true)
            )
        }
        for query in route.parameters {
            parameters.append(
                parameter(
                    query.name,
                    in: "query",
                    query.schema,
                    query.summary,
                    isRequired: query.isRequired
                )
            )
        }
        for feature in Route.Feature.allCases where route.features.contains(feature) {
            parameters += self.parameters(of: feature)
        }
        return parameters
    }

    private static func parameters(of feature: Route.Feature) -> [Document] {
        switch feature {
        case .conditional:
            [parameter("If-Match", in: "header", .text(), "Entity tag that the row must have")]
        case .idempotencyKey:
            [parameter("Idempotency-Key", in: "header", .text(), "Makes a retry safe")]
        case .waitsEnforced:
            [
                parameter(
                    "wait",
                    in: "query",
                    .text(allowed: ["enforced"]),
                    "Answer when every live agent concerned enforces the change"
                ),
                parameter(
                    "timeout",
                    in: "query",
                    .text(example: "5s"),
                    "How long to wait at most"
                ),
            ]
        case .paged:
            [
                parameter(
                    "limit",
                    in: "query",
                    .integer(1...RouteRequest.pageLimitMax),
                    "Most items of the page"
                ),
                parameter("after", in: "query", .text(), "`next` of the page before"),
            ]
        }
    }

    private static func parameter(
        _ name: String,
        in place: String,
        _ schema: Schema,
        _ summary: String,
        isRequired: Bool = false
    ) -> Document {
        Document.fields([
            "name": .string(name),
            "in": .string(place),
            "required": .bool(isRequired),
            "description": .string(summary),
            "schema": document(of: schema),
        ])
    }

    /// A schema in JSON Schema's words.
    static func document(of schema: Schema) -> Document {
        switch schema {
        case .string(let text):
            Document.fields([
                "type": .string("string"),
                "format": text.format.map { .string($0) },
                "enum": text.allowed.map { .list($0) },
                "examples": text.example.map { .list([$0]) },
            ])
        case .integer(let range):
            Document.fields([
                "type": .string("integer"),
                "minimum": range.map { .number($0.lowerBound) },
                "maximum": range.map { .number($0.upperBound) },
            ])
        case .boolean: Document.fields(["type": .string("boolean")])
        case .list(let element):
            Document.fields(["type": .string("array"), "items": document(of: element)])
        case .textMap:
            Document.fields([
                "type": .string("object"),
                "additionalProperties": Document.fields(["type": .string("string")]),
            ])
        case .object(let fields): object(fields)
        case .either(let schemas):
            Document.fields(["oneOf": .list(schemas.map { document(of: $0) })])
        case .any: Document.fields([:])
        }
    }

    private static func object(_ fields: [Schema.Field]) -> Document {
        var properties: [String: Document] = [:]
        for field in fields {
            var property = document(of: field.schema)
            property.set("description", .string(field.summary))
            if field.isReadOnly { property.set("readOnly", .bool(true)) }
            properties[field.name] = property
        }
        let required = fields.filter(\.isRequired).map(\.name)
        return Document.fields([
            "type": .string("object"),
            "properties": .map(properties),
            "required": required.isEmpty ? nil : .list(required),
        ])
    }
}
