internal import CCapability

/// Capabilities by the names of capabilities(7), without `CAP_`.
enum Capabilities {
    /// What a sandbox's root may hold. Everything else reaches beyond the sandbox, or lets its root take apart what it is made of.
    static let grantable: Set<String> = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "SETFCAP",
        "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "AUDIT_WRITE", "IPC_OWNER", "IPC_LOCK", "SYS_NICE", "LEASE",
        "SYS_RESOURCE", "LINUX_IMMUTABLE",
    ]

    /// What is left of it where root inside is the host's own (the visible fallback): nothing that reads or owns by itself beyond
    /// what files in the copy-on-write view demand.
    static let plain = [
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE",
        "SYS_CHROOT",
    ]

    static func reason(_ name: String) -> String {
        switch name {
        case "SYS_ADMIN": "it could mount, unmount and change namespaces"
        case "NET_ADMIN": "it could change the network it was given"
        case "MKNOD": "it could make device nodes"
        case "SYS_PTRACE": "it could enter processes above its own rights"
        default: "it reaches beyond the sandbox"
        }
    }

    /// The kernel's number, or `nil` when libcap does not know the name.
    static func number(of name: String) -> Int? {
        var value: cap_value_t = 0
        return cap_from_name("cap_" + name.lowercased(), &value) == 0 ? Int(value) : nil
    }

    /// The set as the kernel's bit mask. Unknown names, which parsing refused, are left out.
    static func mask(_ names: [String]) -> UInt64 {
        names.compactMap(number(of:)).reduce(0) { $0 | (1 << UInt64($1)) }
    }
}
