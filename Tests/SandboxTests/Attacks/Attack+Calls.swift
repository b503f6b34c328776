import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// System calls that are refused outright: by the filter, and where it were not there, mostly by the kernel, because root inside
/// owns no namespace but the one it lives in.
extension Attack {
    static let calls: [Attack] = [
        .refused(
            "a user namespace by unshare", .userNamespaces, inside: ["unshare-user"], saying: "EPERM", anyUserCan: true,
            control: .bare("unshare-user")),
        .refused(
            "a user namespace by clone", .userNamespaces, inside: ["clone-user"], saying: "EPERM", anyUserCan: true,
            control: .bare("clone-user")),
        .refused(
            "a user namespace by clone3", .userNamespaces, inside: ["clone3-user"], saying: "ENOSYS", anyUserCan: true,
            control: .bare("clone3-user")),
        .refused("userfaultfd", .userfaultfd, inside: ["userfaultfd"], control: .bare("userfaultfd")),
        .refused("bpf", .bpf, inside: ["bpf"], control: .bare("bpf")),
        .refused("perf_event_open", .perf, inside: ["perf"], control: .bare("perf")),
        .refused("io_uring", .ioUring, inside: ["io-uring"], control: .bare("io-uring", unlessMissing: ["ENOSYS"])),
        .refused(
            "int80 system calls", .otherCalls, inside: ["int80"], saying: "ENOSYS", anyUserCan: true,
            control: .bare("int80", unlessMissing: ["EFAULT"])),
        .refused(
            "x32 system calls", .otherCalls, inside: ["x32"], saying: "ENOSYS", anyUserCan: true,
            control: .bare("x32", unlessMissing: ["ENOSYS"])),
        .refused("the kernel's log", .kernelLog, inside: ["kernel-log"], control: .bare("kernel-log")),
        .refused(
            "setting the clock", .clock, inside: ["set-clock"],
            control: .never("It would set the machine's clock, be it to the same time.")),
        .refused(
            "adjusting the clock", .clock, inside: ["adjust-clock"],
            control: .never("It would change how the machine's clock is kept.")),
        .refused("reboot", .machine, inside: ["reboot"], control: .never("It would restart the machine.")),
        .refused("kexec", .machine, inside: ["kexec"], control: .never("It would take away or start another kernel.")),
        .refused(
            "kernel modules", .machine, inside: ["module"],
            control: .never("It would load code into the machine's kernel.")),
        .refused("swap", .machine, inside: ["swap"], control: .never("It would change the machine's memory.")),
        .refused(
            "I/O ports and physical memory", .machine, inside: ["ports"],
            control: .bare("ports", unlessMissing: ["iopl ENOSYS"])),
        Attack(
            "setns through inherited descriptors", .setns,
            control: .succeeds { scene in
                let network = try Files.open("/proc/self/ns/net", flags: O_RDONLY)
                let pid = try Processes.spawn(
                    scene.program, arguments: ["setns", "9"], descriptors: [(9, network.raw)])
                #expect(try await Processes.wait(pid) == .exited(0))
            }
        ) { scene in
            let namespaces = try ["mnt", "net", "pid", "user", "ipc", "uts", "cgroup"].map {
                try Files.open("/proc/self/ns/\($0)", flags: O_RDONLY)
            }
            let extra = Dictionary(
                uniqueKeysWithValues: namespaces.enumerated().map { (Int32(3 + $0.offset), $0.element) })
            let numbers = extra.keys.sorted().map(String.init)
            _ = try await scene.withSandbox { sandbox in
                let answer = try await scene.attack(["setns"] + numbers, in: sandbox, extra: extra)
                #expect(answer.isRefused, "\(answer)")
            }
        },
    ]

    static let keys: [Attack] = [
        .refused(
            "add_key", .keys, inside: ["add-key", "grace-attack"], anyUserCan: true,
            control: .bare("add-key", "grace-attack", "own")),
        .refused(
            "request_key", .keys, inside: ["request-key", "grace-attack"], anyUserCan: true,
            control: .bare("request-key", "grace-attack", "own")),
        .refused("keyctl", .keys, inside: ["keyctl"], anyUserCan: true, control: .bare("keyctl")),
    ]

    static let terminals: [Attack] = [
        Attack(
            "TIOCSTI", .terminalInjection,
            control: .succeeds { scene in
                let terminal = try Terminal()
                let pid = try Processes.spawn(
                    scene.program, arguments: ["tiocsti", "own"], descriptors: [(0, terminal.child.raw)],
                    group: .session)
                #expect(try await Processes.wait(pid) == .exited(0))
            }
        ) { scene in
            let terminal = try Terminal()
            _ = try await scene.withSandbox { sandbox in
                for arguments in [["tiocsti"], ["tiocsti", "own"]] {
                    let answer = try await scene.attack(arguments, in: sandbox, stdin: .descriptor(terminal.child))
                    #expect(answer == .refused("TIOCSTI EPERM; TIOCSTI with a high half EPERM; TIOCLINUX EPERM"))
                }
            }
            #expect(terminal.typed() == 0)
        },
        .refused(
            "TIOCLINUX and consoles", .terminalInjection, inside: ["tioclinux"],
            saying: "TIOCLINUX EPERM; TIOCLINUX with a high half EPERM",
            control: .bare("tioclinux", unlessMissing: ["/dev/tty0 ENOENT", "/dev/tty0 ENXIO"])),
    ]
}

/// A terminal of the test's own.
private struct Terminal {
    let ours: Descriptor
    let child: Descriptor

    init() throws {
        ours = try Files.open("/dev/ptmx", flags: O_RDWR | O_NOCTTY)
        let name = try ours.withRaw { raw -> String in
            var (unlocked, number): (Int32, Int32) = (0, -1)
            try #require(ioctl(raw, 0x4004_5431 /* TIOCSPTLCK */, &unlocked) == 0)
            try #require(ioctl(raw, 0x8004_5430 /* TIOCGPTN */, &number) == 0)
            return "/dev/pts/\(number)"
        }
        child = try Files.open(name, flags: O_RDWR | O_NOCTTY)
    }

    /// How many characters wait to be read as if typed. Raw, so that a half line counts.
    func typed() -> Int32 {
        child.withRaw { raw in
            var settings = termios()
            tcgetattr(raw, &settings)
            cfmakeraw(&settings)
            tcsetattr(raw, TCSANOW, &settings)
            var count: Int32 = -1
            return ioctl(raw, UInt(FIONREAD), &count) == 0 ? count : -1
        }
    }
}
