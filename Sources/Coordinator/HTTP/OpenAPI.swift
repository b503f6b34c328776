internal import Documents
internal import HTTPTypes

/// The OpenAPI 3.1 document, made from the routes.
enum OpenAPI {
    static var document: JSON {
        var paths: [String: [String: JSON]] = [:]
        for route in RouteTable.all {
            let path = route.path.replacing("...}", with: "}")
            paths[path, default: [:]][route.method.rawValue.lowercased()] = operation(route)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Grace coordinator", "version": .string(Coordinator.version),
                "description": "Missions, sessions, votes and the ledger. Errors are problem details (RFC 9457).",
            ],
            "paths": .object(paths.mapValues(JSON.object)),
            "components": [
                "schemas": .object(Schemas.all),
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
            ],
        ]
    }

    private static func operation(_ route: Route) -> JSON {
        var members: [String: JSON] = [
            "operationId": .string(route.name), "summary": .string(route.summary), "tags": [.string(route.tag)],
            "responses": .object(responses(route)),
        ]
        let parameters =
            pathParameters(route)
            + route.query.map { parameter in
                [
                    "name": .string(parameter.name), "in": "query", "required": .bool(parameter.required),
                    "schema": parameter.schema, "description": .string(parameter.about),
                ]
            }
        if !parameters.isEmpty { members["parameters"] = .array(parameters) }
        switch route.body {
        case .none: break
        case .json(let schema, let required, _):
            members["requestBody"] = [
                "required": .bool(required), "content": ["application/json": ["schema": reference(schema)]],
            ]
        case .bytes:
            members["requestBody"] = [
                "required": true,
                "content": ["application/octet-stream": ["schema": ["type": "string", "format": "binary"]]],
            ]
        }
        switch route.access {
        case .everyone: members["security"] = []
        case .role(let role):
            members["security"] = [["token": []]]
            members["x-role"] = .string(role.rawValue)
        case .anyToken, .ledger: members["security"] = [["token": []]]
        }
        return .object(members)
    }

    private static func pathParameters(_ route: Route) -> [JSON] {
        route.segments.filter { $0.hasPrefix("{") }.map { segment in
            let name = segment.dropFirst().dropLast().replacing("...", with: "")
            return ["name": .string(String(name)), "in": "path", "required": true, "schema": ["type": "string"]]
        }
    }

    private static func responses(_ route: Route) -> [String: JSON] {
        var all: [String: JSON] = [:]
        for status in route.statuses {
            let key = String(status.code)
            guard status.code == route.success.code else {
                all[key] = [
                    "description": .string(status.reasonPhrase),
                    "content": ["application/problem+json": ["schema": reference("Problem")]],
                ]
                continue
            }
            switch route.content {
            case .json(let schema):
                all[key] = [
                    "description": .string(route.summary),
                    "content": ["application/json": ["schema": reference(schema)]],
                ]
            case .other(let type):
                all[key] = ["description": .string(route.summary), "content": .object([type: .object([:])])]
            }
        }
        return all
    }

    private static func reference(_ name: String) -> JSON { ["$ref": .string("#/components/schemas/\(name)")] }
}
