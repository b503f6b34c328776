internal import CSandbox
internal import Glibc

/// Checks of arguments that stand in front of every filter, whatever a profile or a file allows.
///
/// They are written by hand because the kernel looks at 32 bits of these arguments, and libseccomp compares 64: “unequal” there could be
/// fooled by the upper half. Calls of other architectures pass; libseccomp's own part refuses them.
enum FilterGuards {
    /// Families whose sockets belong to a network namespace, or to none at all (UNIX). AF_VSOCK would reach the hypervisor, AF_ALG and
    /// others kernel code that a sandbox has no use for.
    static let families = [AF_UNIX, AF_INET, AF_INET6]
    /// Of AF_NETLINK everything but NETLINK_KOBJECT_UEVENT: the host's device events reach every network namespace that the host's user
    /// namespace owns, the sandbox's too (lib/kobject_uevent.c).
    static let deviceEvents: UInt32 = 15

    /// New namespaces, refused in clone(2) as by unshare(2).
    static let namespaces: UInt32 = [
        0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
    ].reduce(0, |)  // CLONE_NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET

    /// Put characters into a terminal as if typed: a way out to the caller's shell.
    static let terminal: [UInt32] = [0x5412, 0x541c]  // TIOCSTI TIOCLINUX

    /// Set what a file belongs to besides its owner, its project among that (FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR). The kernel keeps the
    /// project from whoever is in a user namespace of its own; root that is not mapped would leave its project, and so its quota.
    static let project: [UInt32] = [0x4008_6602, 0x401c_5820]

    /// Instructions in front of libseccomp's; `denied` is what the kernel does with a call that they refuse (SECCOMP_RET_…), and
    /// `keepsProject` whether ``project`` is among them.
    static func instructions(architecture: UInt32, denied: UInt32, keepsProject: Bool) -> [csandbox_instruction] {
        // Offsets in struct seccomp_data; the lower halves of arguments, little-endian as all machines that Grace runs on.
        let (number, machine): (UInt32, UInt32) = (0, 4)
        let (first, second, third): (UInt32, UInt32, UInt32) = (16, 24, 32)
        var checks: [[Step]] = []
        if let ioctl = SystemCalls.number(of: "ioctl") {
            let refused = terminal + (keepsProject ? project : [])
            checks.append([.unless(ioctl), .load(second)] + refused.map { .refuse($0) } + [.pass])
        }
        if let clone = SystemCalls.number(of: "clone") {
            checks.append([.unless(clone), .load(first), .refuseAny(namespaces), .pass])
        }
        if let socket = SystemCalls.number(of: "socket") {
            checks.append(
                [.unless(socket), .load(first)] + families.map { .passIf(UInt32($0)) }
                    + [.refuseUnless(UInt32(AF_NETLINK)), .load(third), .refuse(deviceEvents), .pass])
        }
        let body = checks.reduce(0) { $0 + $1.count }
        // Layout: 3 instructions of head, the checks, a jump over the refusal, the refusal.
        var program = [
            instruction(load, machine), instruction(equal, architecture, yes: 0, no: UInt8(body + 3)),
            instruction(load, number),
        ]
        let refusal = 3 + body + 1
        for check in checks {
            let end = program.count + check.count
            for step in check {
                let here = program.count + 1  // jumps count from the next instruction
                func over(_ target: Int) -> UInt8 { UInt8(target - here) }
                switch step {
                case .unless(let call): program.append(instruction(equal, UInt32(call), yes: 0, no: over(end)))
                case .load(let offset): program.append(instruction(load, offset))
                case .refuse(let value): program.append(instruction(equal, value, yes: over(refusal), no: 0))
                case .refuseAny(let bits): program.append(instruction(anyBit, bits, yes: over(refusal), no: 0))
                case .passIf(let value): program.append(instruction(equal, value, yes: over(refusal + 1), no: 0))
                case .refuseUnless(let value): program.append(instruction(equal, value, yes: 0, no: over(refusal)))
                case .pass: program.append(instruction(jump, UInt32(refusal + 1 - here)))
                }
            }
        }
        program.append(instruction(jump, 1))
        program.append(instruction(answer, denied))
        return program
    }

    private enum Step {
        case unless(Int32), load(UInt32), refuse(UInt32), refuseAny(UInt32), passIf(UInt32), refuseUnless(UInt32), pass
    }

    private static let load: UInt16 = 0x20  // BPF_LD | BPF_W | BPF_ABS
    private static let equal: UInt16 = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
    private static let anyBit: UInt16 = 0x45  // BPF_JMP | BPF_JSET | BPF_K
    private static let jump: UInt16 = 0x05  // BPF_JMP | BPF_JA
    private static let answer: UInt16 = 0x06  // BPF_RET | BPF_K

    private static func instruction(_ code: UInt16, _ k: UInt32, yes: UInt8 = 0, no: UInt8 = 0) -> csandbox_instruction
    {
        csandbox_instruction(code: code, jt: yes, jf: no, k: k)
    }
}
