internal import Documents

extension Profile {
    /// The effective profile as a file of its own, with everything that it is built on written out: ``parse(file:text:base:read:)``
    /// reads it back to the same ``digest``.
    public var yaml: String {
        var lines: [String] = []
        if let extends { lines.append("# What “\(extends)” gives is in here already.") }
        lines.append("name: \(Self.quoted(name))")
        if !description.isEmpty { lines.append("description: \(Self.quoted(description))") }
        lines.append("network: \(network.rawValue)")
        if network == .egress {
            lines += ["egress:", "  allow:"] + egress.map { "    - " + Self.flow($0) }
        }
        let limited = limits.written
        lines += limited.isEmpty ? ["limits: {}"] : ["limits:"] + limited.map { "  \($0.key): \($0.value)" }
        lines += Self.list("hide", hide)
        lines += Self.list("require", require.map(\.rawValue))
        lines += Self.list("optional", optional.map(\.rawValue))
        lines.append("no_new_privileges: \(noNewPrivileges)")
        lines += Self.list("capabilities", capabilities)
        let variables = environment.sorted { $0.key < $1.key }
        lines +=
            variables.isEmpty
            ? ["environment: {}"]
            : ["environment:"] + variables.map { "  \(Self.quoted($0.key)): \(Self.quoted($0.value))" }
        lines.append("seccomp:")
        if let file = seccomp.file { lines.append("  file: \(Self.quoted(file.path))") }
        for (key, calls) in [("allow", seccomp.allow), ("deny", seccomp.deny), ("quiet", seccomp.quiet)] {
            lines += Self.list(key, calls).map { "  " + $0 }
        }
        lines.append("quiet_services: \(quietServices)")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func list(_ key: String, _ values: [String]) -> [String] {
        var seen: Set<String> = []
        let once = values.filter { seen.insert($0).inserted }
        return once.isEmpty ? ["\(key): []"] : ["\(key):"] + once.map { "  - \(quoted($0))" }
    }

    private static func flow(_ rule: EgressRule) -> String {
        let place = rule.name.map { "name: \(quoted($0))" } ?? "address: \(quoted(rule.address ?? ""))"
        return
            "{\(place), ports: [\(rule.ports.map(\.description).joined(separator: ", "))], protocol: \(rule.transport.rawValue)}"
    }

    /// A double-quoted scalar (YAML 1.2.2, section 5.7): what does not print is escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default:
                let hidden: Set<Unicode.GeneralCategory> = [
                    .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate,
                ]
                if hidden.contains(scalar.properties.generalCategory) {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

extension SandboxLimits {
    /// The limits that are set, as a profile writes them, exactly.
    fileprivate var written: [(key: String, value: String)] {
        func size(_ bytes: Int64?) -> String? { bytes.map { ByteSize(bytes: $0).description } }
        let all: [(String, String?)] = [
            ("memory", size(memory)), ("swap", size(swap)), ("pids", pids.map { "\($0)" }),
            ("cpu", cpu.map { "\($0)" }),
            ("time", time.map { Self.plain($0) + "s" }), ("disk", size(disk)), ("files", files.map { "\($0)" }),
            ("output", size(output)), ("cpu_weight", cpuWeight.map { "\($0)" }), ("inodes", inodes.map { "\($0)" }),
        ]
        return all.compactMap { key, value in value.map { (key, $0) } }
    }

    /// A positive number without exponent, which reads back to the same one.
    static func plain(_ value: Double) -> String {
        let text = "\(value)"
        guard let mark = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: mark)...]) else {
            return text
        }
        let digits = text[..<mark].split(separator: ".")
        let (whole, part) = (String(digits[0]), digits.count > 1 && digits[1] != "0" ? String(digits[1]) : "")
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + whole + part }
        return whole + part + String(repeating: "0", count: max(0, exponent - part.count))
    }
}
