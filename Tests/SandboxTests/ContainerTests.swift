import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Grace inside a container: a mount namespace whose root is an overlay, with and without a volume for its state. The engine
/// runs in it as the program `sandbox-victim once`.
@Suite(.enabled(if: Host.isRoot)) struct ContainerTests {
    /// Makes the container below DIR and runs the rest in it. The overlay's lower layer is the host's root alone, without its
    /// other mounts, as an image would be.
    private static let script = """
        set -e
        dir=$1; shift
        mkdir -p $dir/box
        mount -t tmpfs box $dir/box
        mkdir $dir/box/upper $dir/box/work $dir/box/root
        mount -t overlay box -o lowerdir=/,upperdir=$dir/box/upper,workdir=$dir/box/work $dir/box/root
        cd $dir/box/root
        mount --rbind /proc proc; mount --rbind /sys sys; mount --rbind /dev dev
        mount -t tmpfs run run; mount -t tmpfs tmp tmp
        mkdir volume state
        [ "$1" = volume ] && mount -t tmpfs volume volume
        pivot_root . mnt
        umount -l /mnt
        cd /
        if [ "$1" = volume ]; then scratch=/volume/scratch; else scratch=/state/scratch; fi
        shift
        exec $dir/sandbox-victim once $scratch "$@"
        """

    private func inContainer(_ kind: String, require: String = "-", line: String) async throws -> (Int32, String) {
        try await Host.withDirectory { directory in
            try await Programs.copy(to: directory)
            let output = try await Processes.run(
                "unshare",
                arguments: [
                    "-m", "--propagation", "private", "sh", "-c", Self.script, "container", directory, kind,
                    Host.group(directory), "\(directory)/grace-sandbox", require, line,
                ])
            #expect(try !MountInfo.read().contains { ($0.mountPoint.string ?? "").hasPrefix(directory) })
            return (output.exit.shellCode, output.output + output.errorOutput)
        }
    }

    @Test(arguments: ["volume", "none"]) func theFallbackIsVisibleAndWritesStayInside(_ kind: String) async throws {
        let line =
            "echo x > /etc/grace-in-container; chown 33:34 /etc/grace-in-container; stat -c %u:%g /etc/grace-in-container"
        let (code, text) = try await inContainer(kind, line: line)
        #expect(code == 0, "\(text)")
        #expect(text.contains("33:34\n"), "\(text)")
        #expect(text.contains("fallback mapped_root: "), "\(text)")
        #expect(text.contains("left behind: false"), "\(text)")
        #expect(try Files.status("/etc/grace-in-container") == nil)
    }

    @Test func aProfileThatRequiresAMappedRootIsRefusedWithASentence() async throws {
        let (code, text) = try await inContainer("volume", require: "mapped_root", line: "true")
        #expect(code == 125, "\(text)")
        #expect(text.contains("mapped_root: ") && text.contains("profile demands"), "\(text)")
    }

    @Test(arguments: [
        "mount -t tmpfs none /mnt", "echo 1 > /proc/sys/kernel/panic", "mknod /root/n b 254 0", "unshare -m true",
    ])
    func whatWouldReachTheHostIsRefusedThere(_ line: String) async throws {
        let (code, text) = try await inContainer("volume", line: line)
        #expect(code != 0 && code != 125, "\(line): \(text)")
    }
}
