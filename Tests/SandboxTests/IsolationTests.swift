import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// What a hostile program inside must not be able to do.
@Suite struct IsolationTests {
    @Test func writesStayInTheLayerAndLiveIsUntouched() async throws {
        let (_, _) = try await Host.withSandbox { sandbox, directory in
            try Files.writeAtomically("\(directory)/live", Data("live".utf8), mode: 0o644)
            let result = try await sandbox.shell(
                "echo changed > \(directory)/live && rm -r \(directory)/live; touch /etc/grace-test-new; ls /etc/grace-test-new"
            )
            #expect(result.out == "/etc/grace-test-new\n")
            #expect(try Files.readString("\(directory)/live") == "live")
            #expect(try Files.status("/etc/grace-test-new") == nil)
        }
    }

    @Test func onlyItsOwnProcessesAreSeen() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("ls -d /proc/[0-9]* | wc -l; kill -0 \(getpid()) 2>&1")
        }
        let count = Int(result.out.split(separator: "\n").first ?? "") ?? 99
        #expect(count <= 4)
        #expect(result.exit != .exited(0))
    }

    @Test func theHostsLoopbackIsOutOfReach() async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = listen(listener, 4)
                _ = getsockname(listener, $0, &length)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        #expect(port > 0)
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/\(port)'")
        }
        #expect(result.exit != .exited(0))
        #expect(result.err.contains("refused"))
    }

    @Test func loopbackCarriesItsOwnServicesAndNoneCarriesNothing() async throws {
        let line = "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/9'"
        let (loopback, _) = try await Host.withSandbox { sandbox, _ in try await sandbox.shell(line) }
        #expect(loopback.err.contains("refused"))
        let (none, _) = try await Host.withSandbox(profile: Host.profile { $0.network = .none }) { sandbox, _ in
            try await sandbox.shell(line)
        }
        #expect(none.err.contains("unreachable"))
    }

    @Test(arguments: [
        "ls /proc/1/root/", "cat /proc/1/environ", "ls -l /proc/1/fd/", "cat /proc/1/maps", "readlink /proc/1/ns/mnt",
        "cd /proc/1/cwd",
    ])
    func theReaperCannotBeLookedInto(_ line: String) async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in try await sandbox.shell(line) }
        #expect(result.exit != .exited(0))
        #expect(result.out.isEmpty, "\(result.out)\(result.err)")
    }

    @Test(arguments: [
        "mount -t tmpfs none /mnt", "umount /proc", "umount /etc", "unshare -m true", "unshare -U true",
        "unshare -n true",
        "nsenter -t 1 -m true", "mknod /root/node c 1 3", "mknod /root/node b 254 0", "hostname other",
        "chroot /proc/1/root true",
        "echo 1 > /proc/sys/kernel/panic", "echo b > /proc/sysrq-trigger", "echo 1 > /proc/sys/net/ipv4/ip_forward",
        "dmesg",
        "mount -o remount,rw /proc/sys", "mount -o remount,rw /sys", "mount --bind /etc /mnt", "date -s 2030-01-01",
        "touch /sys/devices/system/cpu/x", "pivot_root / /mnt", "swapoff -a && false",
    ])
    func whatWouldChangeTheSandboxIsRefused(_ line: String) async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in try await sandbox.shell(line) }
        #expect(result.exit != .exited(0), "\(line): \(result.out)\(result.err)")
    }

    @Test(.enabled(if: Host.isRoot)) func aDeviceNodeInTheLowerLayerIsDead() async throws {
        try await Host.withDirectory { directory in
            try Files.mknod(
                "\(directory)/null", kind: .characterDevice, mode: 0o666, device: DeviceNumber(major: 1, minor: 3))
            try Files.chmod("\(directory)/null", 0o666)
            let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            let result = try await sandbox.shell("ls -l \(directory)/null; cat \(directory)/null")
            _ = try await sandbox.end()
            #expect(result.out.hasPrefix("crw-rw-rw-"))
            #expect(result.exit != .exited(0))
        }
    }

    @Test func devicesAreTheFewThatProgramsNeed() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "ls /dev | tr '\\n' ' '; head -c 3 /dev/zero | wc -c; echo x > /dev/null; echo x > /dev/shm/x; test -e /dev/ptmx && echo fine"
            )
        }
        #expect(
            result.out == "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero 3\nfine\n",
            "\(result.err)")
    }

    /// The group “tty” may write to it (wall, write); where the kernel's devpts cannot be told a mapped group, Linux 6.1, nobody else may.
    @Test(.enabled(if: Host.isRoot)) func aTerminalOpenedInsideIsItsUsersOwn() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("script -qec 'stat -c \"%u %g %a\" $(tty)' /dev/null </dev/null")
        }
        let shown = result.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(["0 5 620", "0 0 600"].contains(shown), "\(result)")
    }

    @Test(.enabled(if: Host.isRoot)) func rootInsideIsNobodyOutside() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            #expect(sandbox.fallbacks.isEmpty)
            let process = try await sandbox.spawn(.shell("sleep 60"))
            let ids = try (sandbox.cgroup?.processes() ?? []).compactMap { pid -> UInt32? in
                try Files.status("/proc/\(pid)")?.uid
            }
            #expect(ids.contains(PlanWriter.mappedFirst))
            // PID 1 is not dumpable: its directory is root's. No other process is.
            #expect(ids.filter { $0 < PlanWriter.mappedFirst }.count <= 1)
            await process.signal(SIGKILL)
            #expect(try await process.wait() == .signaled(SIGKILL))
        }
    }

    @Test func secretsAndAskedForPathsAreEmpty() async throws {
        try await Host.withDirectory { directory in
            try Files.makeDirectory("\(directory)/state", mode: 0o755)
            try Files.writeAtomically("\(directory)/state/key", Data("secret".utf8))
            try Files.writeAtomically("\(directory)/file", Data("secret".utf8))
            let engine = try Host.engine(directory)
            let sandbox = try await engine.start(
                SandboxSpecification(
                    profile: Host.profile { $0.hide = ["\(directory)/file"] },
                    masks: ["\(directory)/state", "/nowhere/at/all"]))
            let result = try await sandbox.shell(
                "ls -A \(directory)/state \(directory)/scratch; cat \(directory)/file; echo x > \(directory)/file; rmdir \(directory)/state; ls -A /root/.ssh"
            )
            _ = try await sandbox.end()
            #expect(!result.out.contains("key") && !result.out.contains("secret"))
            #expect(result.err.contains("Read-only") && result.err.contains("busy"), "\(result.err)")
        }
    }

    @Test func temporaryPlacesAreFreshAndSysIsMinimal() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "ls -A /tmp; ls -A /run; ls /sys; ls /sys/class 2>/dev/null; stat -c %a /tmp /run /run/lock /dev/shm")
        }
        #expect(result.out == "lock\ndevices\nfs\nkernel\n1777\n755\n1777\n1777\n")
    }

    @Test func nothingOfTheCallersEnvironmentOrDescriptorsComesAlong() async throws {
        setenv("GRACE_TEST_SECRET", "1", 1)
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("env; ls /proc/self/fd | wc -l")
        }
        #expect(!result.out.contains("GRACE_TEST_SECRET"))
        #expect(result.out.hasSuffix("\n4\n"))  // 0, 1, 2 and ls's own
    }

    @Test func theReaperSurvivesHostileChildren() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            _ = try await sandbox.shell("kill -9 1; kill -STOP 1; kill -KILL -1; exit 0")
            return try await sandbox.shell("echo still here")
        }
        #expect(result.out == "still here\n")
    }

    /// A trial must not differ from live: with a mapped root set-user-id programs work; with no_new_privileges they do not.
    @Test(.enabled(if: Host.isRoot), arguments: [false, true]) func aSetUserIDProgramWorksUnlessForbidden(
        _ forbidden: Bool
    ) async throws {
        let (result, _) = try await Host.withSandbox(profile: Host.profile { $0.noNewPrivileges = forbidden }) {
            sandbox, _ in
            _ = try await sandbox.shell(
                "cp /usr/bin/id /usr/local/bin/gid && chown 33:33 /usr/local/bin/gid && chmod 4755 /usr/local/bin/gid")
            return try await sandbox.shell("/usr/local/bin/gid -u", user: "daemon")
        }
        #expect(result.out == (forbidden ? "1\n" : "33\n"), "\(result.err)")
    }
}
