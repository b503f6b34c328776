internal import CSandbox
internal import CSeccomp
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// Compiles a policy to the kernel's filter language, once per policy and process.
enum SeccompCompiler {
    private static let compiled = Mutex<[String: Descriptor]>([:])

    /// The program, as a sealed-by-convention memfd: `struct sock_filter[]`.
    ///
    /// - Throws: ``SandboxError`` when libseccomp refuses a rule.
    static func program(for policy: SeccompPolicy) throws -> Descriptor {
        let key = "\(policy.allow.sorted())\(policy.deny.sorted())"
        if let known = compiled.withLock({ $0[key] }) { return try known.duplicate() }
        let file = try compile(policy)
        compiled.withLock { $0[key] = file }
        return try file.duplicate()
    }

    private static let allow: UInt32 = 0x7fff_0000  // SCMP_ACT_ALLOW; the macros are not imported
    private static func fail(_ code: Int32) -> UInt32 { 0x0005_0000 | UInt32(code) }  // SCMP_ACT_ERRNO

    private static func compile(_ policy: SeccompPolicy) throws -> Descriptor {
        // Unknown calls answer as an older kernel would, so that programs take their fall-back path.
        guard let context = seccomp_init(fail(ENOSYS)) else {
            throw SandboxError.helper("libseccomp could not start a filter; is there memory left?")
        }
        defer { seccomp_release(context) }
        // Calls of another architecture (int 0x80, x32) are not known either. By default they would kill.
        try check(
            seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, fail(ENOSYS)), "its action for other architectures")
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "its binary search tree")

        func expand(_ names: [String]) -> Set<String> { Set(names.flatMap { SystemCalls.groups[$0] ?? [$0] }) }
        let denied = expand(policy.deny).union(SystemCalls.forbidden)
        let allowed = Set(SystemCalls.standard).union(expand(policy.allow)).subtracting(denied)
        let conditional: Set<String> = ["clone", "clone3", "socket"]
        for name in allowed.subtracting(conditional).sorted() {
            guard let number = SystemCalls.number(of: name) else { continue }
            try check(seccomp_rule_add_array(context, allow, number, 0, nil), name)
        }
        for name in denied.subtracting(["clone3"]).sorted() {
            guard let number = SystemCalls.number(of: name) else { continue }
            try check(seccomp_rule_add_array(context, fail(EPERM), number, 0, nil), name)
        }
        // clone3 takes its flags by pointer, which a filter cannot read: ENOSYS (the default) makes glibc use clone. EPERM
        // would break pthread_create.
        if !denied.contains("clone") { try addClone(context) }
        if !denied.contains("socket") { try addSocket(context) }

        let file = try Descriptor.memory(name: "grace-seccomp")
        let head = terminalGuard().withUnsafeBytes { Data($0) }
        try Files.write(file, head)
        try check(file.withRaw { seccomp_export_bpf(context, $0) }, "the export")
        return file
    }

    /// No new namespaces. Each flag alone is refused; the rest is allowed.
    private static func addClone(_ context: scmp_filter_ctx) throws {
        guard let number = SystemCalls.number(of: "clone") else { return }
        let flags: [UInt64] = [
            0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
        ]  // CLONE_NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET
        let all = flags.reduce(0, |)
        try add(context, allow, number, [masked(0, all, 0)], "clone")
        for flag in flags { try add(context, fail(EPERM), number, [masked(0, flag, flag)], "clone") }
    }

    /// TIOCSTI and TIOCLINUX put characters into a terminal as if typed: a way out to the caller's shell.
    ///
    /// The kernel looks at 32 bits of the request, libseccomp compares 64: “unequal” there could be fooled by the upper half. So these
    /// seven instructions, which look at the lower half, go in front of libseccomp's program.
    private static func terminalGuard() -> [csandbox_instruction] {
        guard let number = SystemCalls.number(of: "ioctl") else { return [] }
        let load: UInt16 = 0x20  // BPF_LD | BPF_W | BPF_ABS
        let equal: UInt16 = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
        return [
            csandbox_instruction(code: load, jt: 0, jf: 0, k: 0),  // seccomp_data.nr
            csandbox_instruction(code: equal, jt: 0, jf: 5, k: UInt32(number)),
            csandbox_instruction(code: load, jt: 0, jf: 0, k: 24),  // seccomp_data.args[1], lower half (little-endian)
            csandbox_instruction(code: equal, jt: 2, jf: 0, k: 0x5412),  // TIOCSTI
            csandbox_instruction(code: equal, jt: 1, jf: 0, k: 0x541c),  // TIOCLINUX
            csandbox_instruction(code: 0x05, jt: 0, jf: 0, k: 1),  // BPF_JMP | BPF_JA: over the next one
            csandbox_instruction(code: 0x06, jt: 0, jf: 0, k: fail(EPERM)),  // BPF_RET | BPF_K
        ]
    }

    /// Families whose sockets belong to a network namespace, or to none at all (UNIX). AF_VSOCK would reach the hypervisor.
    private static func addSocket(_ context: scmp_filter_ctx) throws {
        guard let number = SystemCalls.number(of: "socket") else { return }
        let families = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK]
        for family in families {
            try add(context, allow, number, [masked(0, 0xffff_ffff, UInt64(family))], "socket")
        }
    }

    private static func masked(_ argument: UInt32, _ mask: UInt64, _ value: UInt64) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
    }

    private static func add(
        _ context: scmp_filter_ctx, _ action: UInt32, _ number: Int32, _ conditions: [scmp_arg_cmp], _ name: String
    ) throws {
        try check(seccomp_rule_add_array(context, action, number, UInt32(conditions.count), conditions), name)
    }

    private static func check(_ result: Int32, _ what: String) throws {
        guard result < 0 else { return }
        throw SandboxError.helper(
            "libseccomp refused \(what) for the sandbox's filter (\(SystemError(call: "seccomp", subject: what, code: -result)))."
        )
    }
}
