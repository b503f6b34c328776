internal import Documents
internal import Glibc

extension OCISeccomp {
    /// Reads a file of container engines.
    ///
    /// - Throws: `Problems`, every one with its line and the path of its key: what Grace cannot honour is refused, never left out.
    public static func parse(file: String, text: String) throws -> OCISeccomp {
        let reader = DocumentReader(file: file, text: text)
        var result = OCISeccomp(path: file, defaultAction: .fail, defaultErrno: EPERM, rules: [], unknown: [])
        if let root = reader.root, let members = root.mapping(keys: topKeys) {
            result.take(members, root)
        }
        try reader.finish()
        return result
    }

    private static let topKeys = [
        "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "listenerPath",
        "listenerMetadata", "syscalls",
    ]
    private static let ruleKeys = [
        "names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes",
    ]

    private mutating func take(_ members: [String: Field], _ root: Field) {
        if let field = members["defaultAction"] {
            defaultAction = Self.action(field) ?? defaultAction
        } else {
            root.problem("the key “defaultAction” is missing.")
        }
        defaultErrno = Self.errno(members["defaultErrnoRet"], members["defaultErrno"], defaultAction)
        Self.checkMachines(members)
        for (key, what) in [
            ("listenerPath", "Grace itself attends to denied calls"),
            ("listenerMetadata", "Grace itself attends to denied calls"),
        ] {
            if let field = members[key], !field.isNull, field.string()?.isEmpty == false {
                field.problem("it cannot be honoured: \(what). Take it out.")
            }
        }
        if let field = members["flags"], !field.isNull {
            for item in field.list() ?? [] {
                item.problem("flags cannot be honoured: Grace loads its filters with flags of its own. Take them out.")
            }
        }
        guard let list = members["syscalls"], !list.isNull else { return }
        for item in list.list() ?? [] { if let rule = rule(item) { rules.append(rule) } }
        unknown = Array(Set(unknown)).sorted()
    }

    private mutating func rule(_ item: Field) -> Rule? {
        guard let members = item.mapping(keys: Self.ruleKeys) else { return nil }
        guard let actionField = members["action"] else {
            item.problem("the key “action” is missing.")
            return nil
        }
        guard let action = Self.action(actionField) else { return nil }
        var names: [String] = []
        var fields: [Field] = []
        if let field = members["name"], !field.isNull { fields.append(field) }  // moby's form until 2016
        if let field = members["names"], !field.isNull { fields += field.list() ?? [] }
        if members["name"] == nil, members["names"] == nil { item.problem("the key “names” is missing.") }
        for field in fields {
            guard let name = field.text() else { continue }
            if SystemCalls.isKnown(name) {
                names.append(name)
            } else if action.allows || !defaultAction.allows {
                // Left out it is denied by default, as the file would have it, or more so: never a weaker sandbox.
                if action.allows { unknown.append(name) }
            } else {
                field.problem(
                    "libseccomp on this host knows no system call “\(name)”, so it cannot be denied; upgrade libseccomp, or deny by default."
                )
            }
        }
        return Rule(
            names: names, action: action, errno: Self.errno(members["errnoRet"], members["errno"], action),
            arguments: Self.arguments(members["args"]), includes: Self.circumstances(members["includes"]),
            excludes: Self.circumstances(members["excludes"]))
    }

    private static func action(_ field: Field) -> Action? {
        guard let text = field.string() else { return nil }
        if let action = Action(rawValue: text) { return action }
        switch text {
        case "SCMP_ACT_TRACE":
            field.problem("SCMP_ACT_TRACE needs a tracer, which a sandbox has not; use SCMP_ACT_ERRNO.")
        case "SCMP_ACT_NOTIFY":
            field.problem(
                "SCMP_ACT_NOTIFY needs a supervisor of the file's own; use SCMP_ACT_ERRNO, which Grace reports.")
        default:
            field.problem(
                "expected one of \(Action.allCases.map(\.rawValue).joined(separator: ", ")), found “\(text.prefix(60))”."
            )
        }
        return nil
    }

    /// The errno of an action by number or name; EPERM when neither is given (OCI runtime specification, `errnoRet`).
    private static func errno(_ number: Field?, _ name: Field?, _ action: Action) -> Int32 {
        var values: [Int32] = []
        if let number, !number.isNull, let value = number.integer(in: 0...4095) { values.append(Int32(value)) }
        if let name, !name.isNull, let text = name.string(), !text.isEmpty {
            if let value = errnos[text] {
                values.append(value)
            } else {
                name.problem("expected an errno such as EPERM or ENOSYS, found “\(text.prefix(40))”.")
            }
        }
        if let field = [number, name].compactMap({ $0 }).first(where: { !$0.isNull }) {
            if action != .fail, !values.isEmpty, values != [0], name?.string() != "" {
                field.problem("an errno means something with SCMP_ACT_ERRNO alone; the action is \(action.rawValue).")
            }
            if values.count == 2, values[0] != values[1] {
                field.problem("the number \(values[0]) and the name say different errnos.")
            }
        }
        return values.first ?? EPERM
    }

    private static let errnos: [String: Int32] = [
        "EPERM": EPERM, "ENOENT": ENOENT, "ESRCH": ESRCH, "EINTR": EINTR, "EIO": EIO, "ENXIO": ENXIO, "E2BIG": E2BIG,
        "ENOEXEC": ENOEXEC, "EBADF": EBADF, "ECHILD": ECHILD, "EAGAIN": EAGAIN, "ENOMEM": ENOMEM, "EACCES": EACCES,
        "EFAULT": EFAULT, "EBUSY": EBUSY, "EEXIST": EEXIST, "EXDEV": EXDEV, "ENODEV": ENODEV, "ENOTDIR": ENOTDIR,
        "EISDIR": EISDIR, "EINVAL": EINVAL, "ENFILE": ENFILE, "EMFILE": EMFILE, "ENOTTY": ENOTTY, "EFBIG": EFBIG,
        "ENOSPC": ENOSPC, "ESPIPE": ESPIPE, "EROFS": EROFS, "EMLINK": EMLINK, "EPIPE": EPIPE, "ENOSYS": ENOSYS,
        "ENOTSUP": ENOTSUP, "EOPNOTSUPP": EOPNOTSUPP, "EAFNOSUPPORT": EAFNOSUPPORT, "EPROTONOSUPPORT": EPROTONOSUPPORT,
    ]

    private static func arguments(_ field: Field?) -> [Argument] {
        guard let field, !field.isNull else { return [] }
        return (field.list() ?? []).compactMap { item in
            guard let members = item.mapping(keys: ["index", "value", "valueTwo", "op"]) else { return nil }
            for key in ["index", "value", "op"] where members[key] == nil {
                item.problem("the key “\(key)” is missing.")
                return nil
            }
            func number(_ field: Field?) -> UInt64? {
                guard let field, !field.isNull, let text = field.string() else { return nil }
                if let value = UInt64(text) { return value }
                field.problem("expected a whole number from 0 to \(UInt64.max), found “\(text.prefix(40))”.")
                return nil
            }
            guard let operation = members["op"], let name = operation.string() else { return nil }
            guard let comparison = Comparison(rawValue: name) else {
                operation.problem(
                    "expected one of \(Comparison.allCases.map(\.rawValue).joined(separator: ", ")), found “\(name.prefix(60))”."
                )
                return nil
            }
            guard let index = members["index"]?.integer(in: 0...5), let value = number(members["value"]) else {
                return nil
            }
            return Argument(
                index: UInt32(index), value: value, second: number(members["valueTwo"]) ?? 0, comparison: comparison)
        }
    }

    private static func circumstances(_ field: Field?) -> Circumstances {
        var result = Circumstances()
        guard let field, !field.isNull, let members = field.mapping(keys: ["caps", "arches", "minKernel"]) else {
            return result
        }
        if let list = members["caps"], !list.isNull {
            for item in list.list() ?? [] {
                guard let text = item.text()?.uppercased() else { continue }
                let name = text.hasPrefix("CAP_") ? String(text.dropFirst(4)) : text
                if Capabilities.number(of: name) == nil {
                    item.problem("no capability is called “\(text.prefix(40))”; see capabilities(7).")
                }
                result.capabilities.append(name)
            }
        }
        if let list = members["arches"], !list.isNull { result.machines = list.strings() ?? [] }
        if let item = members["minKernel"], !item.isNull, let text = item.string(), !text.isEmpty {
            if KernelVersion(text) == nil {
                item.problem("expected a kernel's version such as 4.8, found “\(text.prefix(40))”.")
            }
            result.kernel = text
        }
        return result
    }

    // MARK: Machines

    /// Machines by libseccomp's names. Grace filters its own machine's calls; those of any other (x32 and i386 on x86-64) are refused
    /// always, whatever a file lists beside it.
    private static let machines = [
        "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32",
        "PPC",
        "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64", "LOONGARCH64", "M68K", "SH", "SHEB",
    ].map { "SCMP_ARCH_" + $0 }

    #if arch(x86_64)
        static let native = "SCMP_ARCH_X86_64"
        static let goNames: Set<String> = ["amd64", "x86_64"]
    #elseif arch(arm64)
        static let native = "SCMP_ARCH_AARCH64"
        static let goNames: Set<String> = ["arm64", "aarch64"]
    #endif

    private static func checkMachines(_ members: [String: Field]) {
        let plain = members["architectures"].flatMap { $0.isNull ? nil : $0 }
        let mapped = members["archMap"].flatMap { $0.isNull ? nil : $0 }
        if let plain, mapped != nil { plain.problem("“architectures” and “archMap” exclude each other; take one out.") }
        func known(_ field: Field) -> String? {
            guard let name = field.string() else { return nil }
            if !machines.contains(name) {
                field.problem("expected a machine such as \(native), found “\(name.prefix(40))”.")
            }
            return name
        }
        if let plain, let list = plain.list() {
            let names = list.compactMap(known)
            if !list.isEmpty, !names.contains(native) { plain.problem("this machine, \(native), is not among them.") }
        }
        if let mapped, let list = mapped.list() {
            var names: [String] = []
            for item in list {
                guard let entry = item.mapping(keys: ["architecture", "subArchitectures"]) else { continue }
                if let field = entry["architecture"] {
                    if let name = known(field) { names.append(name) }
                } else {
                    item.problem("the key “architecture” is missing.")
                }
                if let field = entry["subArchitectures"], !field.isNull {
                    (field.list() ?? []).forEach { _ = known($0) }
                }
            }
            if !list.isEmpty, !names.contains(native) { mapped.problem("this machine, \(native), is not among them.") }
        }
    }
}
