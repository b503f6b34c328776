import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// The mount table, namespaces' owners and control groups.
extension Attack {
    static let mounts: [Attack] = [
        .refused(
            "mount", .mounts, inside: ["mount", "DIR/place"], control: .bare("--namespaces", "m", "mount", "DIR/place")),
        .refused(
            "fsopen", .mounts, inside: ["fsopen", "DIR/place"],
            control: .bare("--namespaces", "m", "fsopen", "DIR/place")),
        .refused(
            "open_tree, move_mount and mount_setattr", .mounts, inside: ["move-mount", "DIR/place", "/proc"],
            control: .bare("--namespaces", "m", "move-mount", "DIR/place", "/proc")),
        .refused(
            "pivot_root", .mounts, inside: ["pivot-root", "DIR/place"],
            control: .bare("--namespaces", "m", "pivot-root", "DIR/place", "bound")),
        .refused(
            "umount and remount", .mounts, .maskedPathSwap,
            inside: ["umount", "/proc/sys", "/proc/kcore", "/proc", "/sys", "DIR/hidden", "/dev", "/"],
            control: .bare("--namespaces", "m", "umount", "/proc")),
    ]

    static let groups: [Attack] = [
        Attack(
            "release_agent", .releaseAgent,
            control: .succeeds { scene in
                try scene.makeAgent()
                let answer = try await scene.bare([
                    "--namespaces", "m", "release-agent", "DIR/place", "DIR/made/agent", "DIR/made/ran",
                ])
                #expect(
                    answer.isSuccess || answer == .refused("mount EINVAL") || answer == .refused("mount ENODEV"),
                    "\(answer)")
            }
        ) { scene in
            try scene.makeAgent()
            let (answer, _) = try await scene.inside(["release-agent", "DIR/place", "DIR/made/agent"])
            #expect(answer.isRefused, "\(answer)")
            #expect(try Files.status("\(scene.made)/ran") == nil)
        },
        Attack(
            "moving itself out of its cgroup", .cgroupEscape, grounds: Ground.asRoot,
            control: .succeeds { scene in
                let host = try CgroupHost.detect()
                let group = try Cgroup.create(on: host, path: "\(Host.group(scene.directory))/other")
                let files = try groupFiles(group)
                #expect(!files.isEmpty)
                let answer = try await scene.bare(["cgroup-move"] + files)
                try await group.remove()
                #expect(answer.isSuccess, "\(answer)")
            }
        ) { scene in
            let host = try CgroupHost.detect()
            let other = try Cgroup.create(on: host, path: "\(Host.group(scene.directory))/other")
            let files = try groupFiles(other)
            _ = try await scene.withSandbox { sandbox in
                let tops = ["", "/memory", "/pids", "/unified", "/systemd", "/.."].map {
                    "/sys/fs/cgroup\($0)/cgroup.procs"
                }
                let answer = try await scene.attack(
                    ["cgroup-move"] + files + tops + ["/sys/fs/cgroup/own", "/sys/fs/cgroup/unified/own"], in: sandbox)
                #expect(answer.isRefused, "\(answer)")
                #expect(try other.processes().isEmpty)
                // What it starts is where it was.
                let before = try sandbox.cgroup?.processes().count ?? 0
                let process = try await sandbox.spawn(Command(arguments: [scene.program, "victim", "x"]))
                #expect(try sandbox.cgroup?.processes().count == before + 1)
                await process.signal(SIGKILL)
            }
            try await other.remove()
        },
    ]

    private static func groupFiles(_ group: Cgroup) throws -> [String] {
        try Files.entries("/sys/fs/cgroup").map { String(decoding: $0, as: UTF8.self) }.sorted()
            .map { "/sys/fs/cgroup/\($0)/\(group.path)/cgroup.procs" }.filter { try Files.status($0) != nil }
            + ["/sys/fs/cgroup/\(group.path)/cgroup.procs"].filter { try Files.status($0) != nil }
    }
}

extension Scene {
    /// A program for the kernel to start, and its mark.
    fileprivate func makeAgent() throws {
        try Files.writeAtomically("\(made)/agent", Data("#!/bin/sh\n: > \(made)/ran\n".utf8), mode: 0o755)
    }

    /// A lasting layer over the root, below ``made``.
    func layer(_ name: String = "layer") throws -> OverlayMount {
        let base = "\(made)/\(name)"
        for directory in ["", "/upper", "/work"] { try Files.makeDirectory(base + directory, mode: 0o755) }
        return OverlayMount(mountPoint: "/", upper: "\(base)/upper", work: "\(base)/work")
    }
}
