public import Documents
internal import Linux

extension Profile {
    /// The keys of a profile file, in the order they are documented.
    static let keys = [
        "name", "description", "extends", "network", "egress", "limits", "hide", "require", "optional",
        "no_new_privileges",
        "capabilities", "environment", "seccomp", "quiet_services",
    ]
    static let limitKeys = [
        "memory", "swap", "pids", "cpu", "cpu_weight", "time", "disk", "inodes", "files", "output",
    ]

    /// Reads a profile file.
    ///
    /// - Parameters:
    ///   - file: the name used in problems, and the profile's name (without `.yaml`) when it has none of its own.
    ///   - text: YAML.
    ///   - base: the resolved profile that its `extends` names; ``ProfileLibrary`` passes it. Without one, defaults apply.
    ///   - read: the content of another file that it names, by path (a relative one is looked for beside `file`); `nil`: from disk.
    /// - Returns: the profile, with what it is built on already in it.
    /// - Throws: `Problems`, every one with its line and key.
    public static func parse(
        file: String, text: String, base: Profile? = nil,
        read: ((String) throws -> String)? = nil
    ) throws -> Profile {
        let reader = DocumentReader(file: file, text: text)
        let stem = file.split(separator: "/").last.map(String.init) ?? file
        var profile = base ?? Profile(name: stem)
        profile.name = stem.hasSuffix(".yaml") ? String(stem.dropLast(5)) : stem
        profile.description = ""
        profile.extends = nil
        if let root = reader.root, let members = root.mapping(keys: keys) {
            profile.apply(members) { name in
                let place = name.hasPrefix("/") ? name : Self.directory(of: file) + name
                return try OCISeccomp.parse(file: place, text: try read?(place) ?? Files.readString(place))
            }
            if let base, profile.extends != base.name {
                root.problem("it was to be built on “\(base.name)”, but its key “extends” says otherwise.")
            }
        }
        try reader.finish()
        return profile
    }

    /// With its slash at the end; empty where there is none.
    private static func directory(of file: String) -> String {
        file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
    }

    /// This profile with the keys of a mission file's `sandbox:` laid over it. Problems are reported to the field's reader.
    ///
    /// - Parameter field: a mapping; the keys `profile` and `snapshot` in it are the mission's own and left alone.
    /// - Returns: the profile as the mission wants it.
    public func overridden(by field: Field) -> Profile {
        let own = ["profile", "snapshot"]
        let known = Self.keys.filter { !["name", "description", "extends"].contains($0) }
        guard let members = field.mapping(keys: known + own) else { return self }
        var profile = self
        // A mission comes from elsewhere: it must not have the agent open files of the host.
        profile.apply(members.filter { known.contains($0.key) }, file: nil)
        return profile
    }

    /// Lays keys over the profile: single values replace, lists of paths, features and calls add, capabilities replace.
    ///
    /// `file` reads a seccomp file by the name in the profile; `nil`: none may be named here.
    private mutating func apply(_ members: [String: Field], file: ((String) throws -> OCISeccomp)?) {
        if let value = members["name"]?.text() { name = value }
        if let value = members["description"]?.text() { description = value }
        if let value = members["extends"]?.text() { extends = value }
        if let value = members["network"]?.choice(Network.allCases.map(\.rawValue)) {
            network = Network(rawValue: value) ?? network
        }
        if let field = members["egress"] {
            egress += EgressRule.parseAll(field).filter { !egress.contains($0) }
            if network != .egress {
                field.problem("it has no effect: the network is “\(network.rawValue)”; say network: egress as well.")
            }
            for transport in EgressRule.Transport.allCases {
                let ports = egress.filter { $0.transport == transport }.flatMap(\.ports).flatMap { Array($0.range) }
                if Set(ports).count > EgressRule.mostPorts {
                    field.problem(
                        "the rules together open more than \(EgressRule.mostPorts) \(transport.rawValue) ports; name the ones that are needed."
                    )
                }
            }
        } else if network == .egress, egress.isEmpty, let field = members["network"] {
            field.problem(
                "“egress” needs a list of whom the sandbox may talk to: egress: {allow: [{name: …, ports: […]}]}.")
        }
        if let field = members["limits"], let limited = field.mapping(keys: Self.limitKeys) { limits.apply(limited) }
        if let field = members["hide"] { hide += paths(field) }
        if let field = members["require"] { require += features(field, among: Feature.allCases) }
        if let field = members["optional"] { optional += features(field, among: Feature.limits) }
        if let value = members["no_new_privileges"]?.boolean() { noNewPrivileges = value }
        if let value = members["quiet_services"]?.boolean() { quietServices = value }
        if let field = members["capabilities"], let values = field.list() {
            capabilities = values.compactMap { item in
                guard let text = item.text() else { return nil }
                let name =
                    text.uppercased().hasPrefix("CAP_") ? String(text.uppercased().dropFirst(4)) : text.uppercased()
                guard Capabilities.number(of: name) != nil else {
                    item.problem(
                        "no capability is called “\(text)”; see capabilities(7), for example NET_BIND_SERVICE.")
                    return nil
                }
                guard Capabilities.grantable.contains(name) else {
                    item.problem("\(name) is never given to a sandbox: \(Capabilities.reason(name)).")
                    return nil
                }
                return name
            }
        }
        if let field = members["environment"], let values = field.mapping() {
            for (key, value) in values {
                guard let text = value.string() else { continue }
                if key.isEmpty || key.contains("=") || key.contains("\0") || text.contains("\0") {
                    value.problem("“\(key)” is no name of an environment variable.")
                } else {
                    environment[key] = text
                }
            }
        }
        if let field = members["seccomp"], let values = field.mapping(keys: ["file", "allow", "deny", "quiet"]) {
            if let field = values["file"], let name = field.text() {
                do {
                    if let file {
                        seccomp.file = try file(name)
                    } else {
                        field.problem(
                            "only a profile's own file may name a seccomp file; put it into a profile, and name that.")
                    }
                } catch let problems as Problems {
                    for problem in problems.all { field.problem("\(problem)") }
                } catch {
                    field.problem("the file “\(name)” cannot be read: \(error).")
                }
            }
            if let list = values["allow"]?.list() { seccomp.allow += calls(list, toAllow: true) }
            if let list = values["deny"]?.list() { seccomp.deny += calls(list, toDeny: true) }
            if let list = values["quiet"]?.list() { seccomp.quiet += calls(list) }
        }
        if optional.contains(where: require.contains), let field = members["optional"] ?? members["require"] {
            field.problem("a feature cannot be both required and optional.")
        }
    }

    private func paths(_ field: Field) -> [String] {
        (field.list() ?? []).compactMap { item in
            guard let path = item.text() else { return nil }
            guard path.hasPrefix("/"), path != "/", !path.split(separator: "/").contains(".."), !path.contains("\0")
            else {
                item.problem("expected an absolute path below /, without “..”, found “\(path)”.")
                return nil
            }
            return path
        }
    }

    private func features(_ field: Field, among allowed: [Feature]) -> [Feature] {
        (field.list() ?? []).compactMap { item in
            item.choice(allowed.map(\.rawValue)).flatMap(Feature.init(rawValue:))
        }
    }

    private func calls(_ list: [Field], toAllow: Bool = false, toDeny: Bool = false) -> [String] {
        list.compactMap { item in
            guard let name = item.text() else { return nil }
            if toDeny, let needed = FilterPlan.expand([name]).intersection(SystemCalls.essential).sorted().first {
                item.problem(
                    "“\(needed)” cannot be denied: the sandbox's own process 1 needs it to start and end commands.")
                return nil
            }
            if name.hasPrefix("@") {
                guard SystemCalls.groups[name] == nil else { return name }
                item.problem(
                    "no group of calls is called “\(name)”. Known: \(SystemCalls.groups.keys.sorted().joined(separator: ", "))."
                )
                return nil
            }
            guard SystemCalls.isKnown(name) else {
                item.problem("no system call of this architecture is called “\(name)”.")
                return nil
            }
            if toAllow, SystemCalls.forbidden.contains(name) {
                item.problem("“\(name)” is never allowed in a sandbox: it would reach what the sandbox is made of.")
                return nil
            }
            return name
        }
    }
}

extension Feature {
    /// The features that are limits, and may be optional.
    static let limits: [Feature] = [.memoryLimit, .swapLimit, .pidsLimit, .cpuLimit, .cpuWeight, .diskLimit]
}

extension SandboxLimits {
    fileprivate mutating func apply(_ members: [String: Field]) {
        func size(_ key: String, _ least: Int64) -> Int64? {
            guard let field = members[key], let value = field.size() else { return nil }
            guard value.bytes >= least else {
                field.problem("expected at least \(ByteSize(bytes: least)), found \(value).")
                return nil
            }
            return value.bytes
        }
        memory = size("memory", 4 << 20) ?? memory
        swap = size("swap", 0) ?? swap
        // Null lifts what the extended profile sets; the inodes of the same layers go with it.
        if members["disk"]?.isNull == true { (disk, inodes) = (nil, nil) } else { disk = size("disk", 1 << 20) ?? disk }
        // An inherited bound is one in memory: half of less memory is less, too.
        if members["memory"] != nil, members["disk"] == nil, let memory, let inherited = disk {
            disk = min(inherited, max(1 << 20, memory / 2))
        }
        output = size("output", 0) ?? output
        inodes = members["inodes"]?.integer(in: 16...1_000_000_000) ?? inodes
        cpuWeight = members["cpu_weight"]?.integer(in: 1...10000).map(Int.init) ?? cpuWeight
        if inodes != nil, disk == nil, let field = members["inodes"] {
            field.problem("it bounds the same layers as “disk” and needs it: set limits.disk, too.")
        }
        pids = members["pids"]?.integer(in: 1...4_194_304) ?? pids
        files = members["files"]?.integer(in: 16...1_048_576).map(Int.init) ?? files
        if let field = members["cpu"], let value = field.number() {
            if value >= 0.01, value <= 4096 {
                cpu = value
            } else {
                field.problem("expected a number of processors from 0.01 to 4096, found \(value).")
            }
        }
        if let field = members["time"], let value = field.span() {
            if value.seconds > 0 { time = value.seconds } else { field.problem("expected a time longer than 0.") }
        }
    }
}
