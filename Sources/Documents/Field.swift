/// One value of a document, with its place. Every reading method returns `nil` after reporting what was expected.
public struct Field {
    let reader: DocumentReader
    let node: YAMLNode
    /// The path of keys from the top, as in `services[0].run`.
    public let path: String

    /// The line on which the value begins, from 1.
    public var line: Int { node.line }

    public var isMapping: Bool { if case .mapping = node.content { true } else { false } }
    public var isList: Bool { if case .sequence = node.content { true } else { false } }
    public var isScalar: Bool { scalar != nil }
    /// Whether it is YAML's null (`~`, `null` or nothing, unquoted).
    public var isNull: Bool {
        scalar.map { $0.isPlain && ["", "~", "null", "Null", "NULL"].contains($0.string) } ?? false
    }

    private var scalar: (string: String, isPlain: Bool)? {
        if case .scalar(let string, let isPlain) = node.content { (string, isPlain) } else { nil }
    }

    /// Reports that something is wrong with this value.
    public func problem(_ message: String) {
        reader.report(line: line, path: path, message)
    }

    private func expected(_ what: String) {
        let found: String
        switch node.content {
        case .mapping: found = "a mapping"
        case .sequence: found = "a list"
        case .scalar(let text, _): found = "“\(text.prefix(60))”"
        }
        problem("expected \(what), found \(found).")
    }

    /// The members of a mapping. A key outside `keys` is a problem that names the nearest key known.
    public func mapping(keys: [String]) -> [String: Field]? {
        guard let members = mapping() else { return nil }
        for (key, value) in members.sorted(by: { $0.value.line < $1.value.line }) where !keys.contains(key) {
            let near = keys.min { distance($0, key) < distance($1, key) }.flatMap { distance($0, key) <= 2 ? $0 : nil }
            let hint = near.map { " Did you mean “\($0)”?" } ?? " Known here: \(keys.joined(separator: ", "))."
            value.problem("unknown key “\(key.prefix(60))”.\(hint)")
        }
        return members
    }

    /// The members of a mapping whose keys are free.
    public func mapping() -> [String: Field]? {
        guard case .mapping(let mapping) = node.content else {
            expected("a mapping of keys to values")
            return nil
        }
        var members: [String: Field] = [:]
        for (key, value) in mapping {
            guard case .scalar(let name, _) = key.content else {
                problem("expected keys that are plain words.")
                continue
            }
            members[name] = Field(reader: reader, node: value, path: path.isEmpty ? name : "\(path).\(name)")
        }
        return members
    }

    /// The items of a list.
    public func list() -> [Field]? {
        guard case .sequence(let items) = node.content else {
            expected("a list")
            return nil
        }
        return items.enumerated().map { Field(reader: reader, node: $1, path: "\(path)[\($0)]") }
    }

    /// A list of texts.
    public func strings() -> [String]? {
        guard let items = list() else { return nil }
        let texts = items.compactMap { $0.string() }
        return texts.count == items.count ? texts : nil
    }

    /// Text; numbers and booleans are taken as they are written.
    public func string() -> String? {
        guard let scalar, !isNull else {
            expected("text")
            return nil
        }
        return scalar.string
    }

    /// Text of at least one character that is not white space.
    public func text() -> String? {
        guard let value = string() else { return nil }
        guard value.contains(where: { !$0.isWhitespace }) else {
            problem("expected text, found only white space.")
            return nil
        }
        return value
    }

    public func integer(in range: ClosedRange<Int64> = Int64.min...Int64.max) -> Int64? {
        guard let scalar, scalar.isPlain, let value = Int64(scalar.string) else {
            expected("a whole number")
            return nil
        }
        guard range.contains(value) else {
            problem("expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(value).")
            return nil
        }
        return value
    }

    public func number() -> Double? {
        guard let scalar, scalar.isPlain, let value = Double(scalar.string), value.isFinite else {
            expected("a number")
            return nil
        }
        return value
    }

    public func boolean() -> Bool? {
        guard let scalar, scalar.isPlain, ["true", "false"].contains(scalar.string) else {
            expected("true or false")
            return nil
        }
        return scalar.string == "true"
    }

    public func size() -> ByteSize? {
        guard let scalar, let value = ByteSize(scalar.string) else {
            expected("a size such as 512Mi, 4G or 1048576 (units k M G T Ki Mi Gi Ti)")
            return nil
        }
        return value
    }

    public func span() -> Span? {
        guard let scalar, let value = Span(scalar.string) else {
            expected("a time with its unit, such as 250ms, 10s, 30m or 2h")
            return nil
        }
        return value
    }

    public func ratio() -> Ratio? {
        guard let scalar, let value = Ratio(scalar.string) else {
            expected("a share such as 10%, 0.5pp or 0.1")
            return nil
        }
        return value
    }

    public func choice(_ choices: [String]) -> String? {
        guard let scalar, choices.contains(scalar.string) else {
            expected("one of \(choices.joined(separator: ", "))")
            return nil
        }
        return scalar.string
    }

    /// The value as JSON: plain scalars by YAML's core schema (null, booleans, whole numbers, numbers), others as text.
    public var json: JSON {
        switch node.content {
        case .mapping(let mapping):
            var members: [String: JSON] = [:]
            for (key, value) in mapping {
                guard case .scalar(let name, _) = key.content else { continue }
                members[name] = Field(reader: reader, node: value, path: path).json
            }
            return .object(members)
        case .sequence(let items): return .array(items.map { Field(reader: reader, node: $0, path: path).json })
        case .scalar(let text, let isPlain):
            guard isPlain else { return .string(text) }
            if isNull { return .null }
            if text == "true" || text == "false" { return .bool(text == "true") }
            if let integer = Int64(text) { return .integer(integer) }
            if let number = Double(text), number.isFinite { return .number(number) }
            return .string(text)
        }
    }
}

/// Levenshtein's distance, for “did you mean”.
private func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.prefix(40)), right = Array(right.prefix(40))
    guard !right.isEmpty else { return left.count }
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let cost = a == b ? diagonal : Swift.min(diagonal, row[j], row[j + 1]) + 1
            diagonal = row[j + 1]
            row[j + 1] = cost
        }
    }
    return row[right.count]
}
