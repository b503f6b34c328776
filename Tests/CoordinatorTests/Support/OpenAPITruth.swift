import Documents
import HTTPTypes
import NIOHTTP1

@testable import Coordinator

/// Holds answers against the OpenAPI document: the path is in it, the status is documented, the body fits its schema.
enum OpenAPITruth {
    static func problems(of answer: Answer, to method: String, _ target: String) -> [String] {
        let path = target.split(separator: "?", maxSplits: 1)[0]
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let route = RouteTable.all.first(where: { $0.method.rawValue == method && $0.match(parts) != nil }) else {
            return answer.status == 404 || answer.status == 405 ? [] : ["no route, but the answer is \(answer.status)"]
        }
        let documented = OpenAPI.document["paths"]?[route.path.replacing("...}", with: "}")]?[method.lowercased()]
        guard let response = documented?["responses"]?["\(answer.status)"] else {
            return [
                "the status \(answer.status) is not documented: \(String(decoding: answer.data.prefix(300), as: UTF8.self))"
            ]
        }
        let type = answer.headers.first(name: "content-type") ?? ""
        guard let content = response["content"]?.object, let (known, media) = content.first else {
            return ["the status \(answer.status) has no documented content"]
        }
        var problems: [String] = []
        if !type.hasPrefix(known) { problems.append("the content type is “\(type)”, documented is \(known)") }
        if let schema = media["schema"], known.hasSuffix("json") { problems += check(answer.json, schema, "") }
        return problems
    }

    /// As much of JSON Schema as our schemas use.
    static func check(_ value: JSON, _ schema: JSON, _ path: String) -> [String] {
        if let reference = schema["$ref"]?.string {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let found = Schemas.all[name] else { return ["\(path): there is no schema \(name)"] }
            return check(value, found, path)
        }
        if let choices = schema["anyOf"]?.array {
            return choices.contains { check(value, $0, path).isEmpty } ? [] : ["\(path): fits none of its choices"]
        }
        var problems: [String] = []
        if let type = schema["type"] {
            let names = type.array?.compactMap(\.string) ?? type.string.map { [$0] } ?? []
            if !names.contains(where: { fits(value, $0) }) { return ["\(path): expected \(names), found \(value)"] }
        }
        if value.isNull { return problems }
        if let allowed = schema["enum"]?.array, !allowed.contains(value) {
            problems.append("\(path): \(value) is not allowed")
        }
        if let members = value.object {
            for key in schema["required"]?.array ?? [] where members[key.string ?? ""] == nil {
                problems.append("\(path): the member \(key.string ?? "") is missing")
            }
            for (key, part) in schema["properties"]?.object ?? [:] {
                if let member = members[key] { problems += check(member, part, "\(path).\(key)") }
            }
        }
        if let items = schema["items"] {
            for (index, item) in (value.array ?? []).enumerated() {
                problems += check(item, items, "\(path)[\(index)]")
            }
        }
        return problems
    }

    private static func fits(_ value: JSON, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("integer", .integer), ("number", .integer), ("number", .number),
            ("string", .string), ("array", .array), ("object", .object):
            true
        default: false
        }
    }
}
