import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// An ordinary user's sandbox: one user alone inside, no limits by control group, everything it may not have recorded or refused.
@Suite(.enabled(if: Host.isRoot)) struct UnprivilegedTests {
    /// Runs `sandbox-victim once` as nobody.
    private func asNobody(require: String = "-", _ line: String) async throws -> (Int32, String) {
        try await Host.withDirectory { directory in
            try await Programs.copy(to: directory)
            try Files.makeDirectory("\(directory)/state", mode: 0o700)
            try Files.chown("\(directory)/state", uid: 65534, gid: 65534)
            let output = try await Processes.run(
                "\(directory)/sandbox-victim",
                arguments: [
                    "once", "\(directory)/state/scratch", Host.group(directory), "\(directory)/grace-sandbox", require,
                    line,
                ], user: (uid: 65534, gid: 65534))
            return (output.exit.shellCode, output.output + output.errorOutput)
        }
    }

    @Test func itRunsOverTheHostAndItsWritesStayInside() async throws {
        let (code, text) = try await asNobody(
            "id -u; echo x > /etc/grace-unprivileged && cat /etc/grace-unprivileged; ls /usr/bin | head -1")
        #expect(code == 0, "\(text)")
        #expect(text.hasPrefix("0\n"), "\(text)")
        #expect(text.contains("fallback mapped_root: ") && text.contains("Run Grace as root"), "\(text)")
        #expect(text.contains("left behind: false"), "\(text)")
        #expect(try Files.status("/etc/grace-unprivileged") == nil)
    }

    @Test(arguments: ["mapped_root", "memory_limit"]) func whatAProfileRequiresAndItHasNotIsRefused(_ name: String)
        async throws
    {
        let (code, text) = try await asNobody(require: name, "true")
        #expect(code == 125, "\(text)")
        #expect(text.contains("\(name): "), "\(text)")
    }

    @Test(arguments: [
        "mount -t tmpfs none /mnt", "umount /proc", "unshare -m true", "unshare -U true", "unshare -n true",
        "mknod /root/node c 1 3", "hostname other", "echo 1 > /proc/sys/kernel/panic", "dmesg", "date -s 2030-01-01",
        "cat /proc/1/environ", "ls -l /proc/1/fd/", "chown 33 /etc/passwd", "cat /etc/shadow", "su nobody -s /bin/true",
        "kill -0 \(getpid())", "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'",
    ])
    func whatWouldReachTheHostIsRefused(_ line: String) async throws {
        let (code, text) = try await asNobody(line)
        #expect(code != 0 && code != 125, "\(line): \(text)")
    }
}
