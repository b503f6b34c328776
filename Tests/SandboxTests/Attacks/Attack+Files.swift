import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Ways out through the file system, and the kernel's files in it.
extension Attack {
    static let roots: [Attack] = [
        Attack(
            "open_by_handle_at", .openByHandle,
            control: .succeeds { scene in
                let handle = try await scene.handle()
                try await scene.comesThrough(["handle-open"] + handle + ["DIR"])
            }
        ) { scene in
            let handle = try await scene.handle()
            let (answer, _) = try await scene.inside(
                ["handle-open"] + handle + ["/", "DIR", "/tmp", "/proc", "/dev/shm", "DIR/hidden"])
            #expect(answer.isRefused, "\(answer)")
        },
        Attack(
            "leaked descriptors", .leakedDescriptors, anyUserCan: true,
            control: .succeeds { scene in
                let root = try Files.open("/", flags: O_RDONLY)
                let pid = try Processes.spawn(
                    scene.program, arguments: ["leaked", scene.secret], descriptors: [(7, root.raw)])
                #expect(try await Processes.wait(pid) == .exited(0))
            }
        ) { scene in
            // The agent itself is careless: directories of the host's, not closed on exec.
            let careless = [open("/", O_RDONLY), open(scene.directory, O_RDONLY | O_DIRECTORY)]
            defer { for descriptor in careless { close(descriptor) } }
            _ = try await scene.withSandbox { sandbox in
                let answer = try await scene.attack(["leaked", "SECRET"], in: sandbox)
                #expect(answer == .refused("every descriptor EBADF"))
                // As a working directory: whatever PID 1 or its child has open while it starts a command.
                let places =
                    (3..<16).map { "/proc/self/fd/\($0)" } + ["/proc/1/cwd", "/proc/1/root", "/proc/self/fd/3/.."]
                for place in places {
                    do {
                        let answer = try await scene.attack(["leaked", "SECRET"], in: sandbox, directory: place)
                        #expect(answer.isRefused, "\(place): \(answer)")
                    } catch SandboxError.start {}
                }
            }
        },
        Attack(
            "chroot and fchdir", .chrootEscape,
            control: .succeeds { scene in
                let answer = try await scene.bare(["--root", "DIR/made", "chroot-escape", "/jail", "SECRET"])
                #expect(answer.isSuccess, "\(answer)")
            }
        ) { scene in
            let (answer, _) = try await scene.inside(["chroot-escape", "/tmp/jail", "SECRET"])
            #expect(answer.isRefused, "\(answer)")
        },
        // What the sandbox mounts on lies in layers that earlier commands wrote. Here they hold links where it will mount.
        Attack(
            "links in a layer where the sandbox will mount", .mountRaces, .maskedPathSwap, .procRedirection,
            grounds: Ground.limited,
            control: .succeeds { scene in
                // Outside, such a link leads to the secret.
                try Files.symlink("\(scene.directory)/hidden", at: "\(scene.made)/link")
                #expect(try Files.readString("\(scene.made)/link/secret") == Scene.secretText)
            }
        ) { scene in
            let targets = [
                "\(scene.directory)/hidden", "/../../../../..\(scene.directory)/hidden", "/etc", "/proc/self/fd/4", "/",
            ]
            for (number, target) in targets.enumerated() {
                for place in ["proc", "dev", "sys", "run", "tmp", String(scene.directory.dropFirst()) + "/hidden"] {
                    let layer = try scene.layer("\(number)-\(place.replacing("/", with: "-"))")
                    let parent = BytePath("\(layer.upper)/\(place)").parent
                    try Files.makeDirectory(parent, mode: 0o755, intermediate: true)
                    try Files.symlink(target, at: "\(layer.upper)/\(place)")
                    do {
                        _ = try await scene.withSandbox({ $0.overlays = [layer] }) { sandbox in
                            let answer = try await scene.attack(["unhide", "SECRET"], in: sandbox)
                            #expect(answer.isRefused, "\(place) to \(target): \(answer)")
                            // Where /proc is, it is the kernel's: what the sandbox writes there goes nowhere else.
                            let look = try await scene.attack(["look", "/\(place)/secret", "/etc/secret"], in: sandbox)
                            #expect(look.isRefused, "\(place) to \(target): \(look)")
                        }
                    } catch SandboxError.setup {  // refused to start: as good
                    } catch SandboxError.start {}
                }
            }
        },
        Attack(
            "a mount point that is swapped for a link all the time", .mountRaces, .procRedirection,
            grounds: Ground.limited,
            control: .succeeds { scene in
                // Whoever looks twice, first whether it is a directory, then into it, is fooled.
                try Files.makeDirectory("\(scene.made)/race")
                try Files.symlink("\(scene.directory)/hidden", at: "\(scene.made)/link")
                try await scene.withBackground(["exchange", "\(scene.made)/race", "\(scene.made)/link", "60"]) { _, _ in
                    var fooled = false
                    for _ in 0..<200_000 where !fooled {
                        guard try Files.status("\(scene.made)/race")?.isDirectory == true else { continue }
                        fooled = (try? Files.readString("\(scene.made)/race/secret")) == Scene.secretText
                    }
                    #expect(fooled)
                }
            }
        ) { scene in
            // A hidden path, and the mount point of a layer, of which one moment is a directory and the next a link to elsewhere.
            for name in ["race", "nested"] { try Files.makeDirectory("\(scene.made)/\(name)") }
            try Files.symlink("\(scene.directory)/hidden", at: "\(scene.made)/link")
            try await scene.withBackground(["exchange", "\(scene.made)/race", "\(scene.made)/link", "60"]) { _, _ in
                for _ in 0..<15 {
                    do {
                        _ = try await scene.withSandbox({
                            $0.profile.hide.append("\(scene.made)/race")
                        }) { sandbox in
                            for path in ["SECRET", "DIR/made/race/secret", "DIR/made/link/secret"] {
                                let answer = try await scene.attack(["look", path], in: sandbox)
                                #expect(answer.isRefused, "\(answer)")
                            }
                        }
                    } catch SandboxError.setup {}
                }
            }
        },
    ]

    static let hidden: [Attack] = [
        Attack(
            "taking away what hides a path", .maskedPathSwap, anyUserCan: true,
            control: .succeeds { scene in
                let (answer, _) = try await scene.inside(
                    ["unhide", "SECRET"], weaken: { $0.mask_count = 0 })
                #expect(answer.isSuccess, "\(answer)")
            }
        ) { scene in
            let file = "\(scene.directory)/place/hidden-file"
            try Files.writeAtomically(file, Data(Scene.secretText.utf8), mode: 0o644)
            _ = try await scene.withSandbox({ $0.profile.hide.append(file) }) { sandbox in
                for path in ["SECRET", "DIR/hidden", file] {
                    let answer = try await scene.attack(["unhide", path], in: sandbox)
                    #expect(answer.isRefused, "\(path): \(answer)")
                }
            }
            #expect(try Files.readString(file) == Scene.secretText)
            try Files.unlink(file)
        }
    ]

    static let kernelFiles: [Attack] = [
        .refused(
            "sysrq-trigger", .sysrq, inside: ["write-file", "/proc/sysrq-trigger", "h"],
            // “h” prints help into the kernel's log, and nothing else.
            control: .bare("write-file", "/proc/sysrq-trigger", "h", unlessMissing: ["ENOENT"])),
        .refused(
            "core_pattern, modprobe and other settings of the kernel", .sysctl,
            inside: [
                "sysctl", "kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "kernel/panic",
                "vm/overcommit_memory",
                "fs/file-max", "fs/suid_dumpable", "kernel/hotplug", "net/ipv4/ip_forward", "fs/binfmt_misc/register",
            ],
            // It writes what is there already.
            control: .bare("sysctl", "kernel/core_pattern")),
        .refused(
            "/sys, debugfs and efivars", .sysfs,
            inside: [
                "look", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/firmware/efi/efivars",
                "/sys/firmware",
                "/sys/class", "/sys/block", "/sys/bus", "/sys/module", "/sys/fs/bpf", "/sys/power",
                "/sys/kernel/uevent_helper",
                "/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
            ],
            control: .bare("look", "/sys/module")),
        .refused(
            "writing to what is shown of /sys", .sysfs,
            inside: ["write-file", "/sys/kernel/mm/transparent_hugepage/enabled", "grace"],
            control: .never("What it writes would be a setting of the machine's memory.")),
    ]

    static let devices: [Attack] = [
        Attack(
            "mknod of a disk", .mknod,
            // With a device that harms nobody, and that every host lets root read.
            control: .bare("make-device", "DIR/place/zero", "c", "1", "5")
        ) { scene in
            _ = try await scene.withSandbox { sandbox in
                for place in ["DIR/place/disk", "/tmp/disk", "/dev/shm/disk", "/dev/disk"] {
                    for (kind, numbers) in [
                        ("b", try scene.disk()), ("c", ["1", "1"]), ("c", ["1", "11"]), ("c", ["5", "1"]),
                    ] {
                        let answer = try await scene.attack(["make-device", place, kind] + numbers, in: sandbox)
                        #expect(answer.isRefused, "\(place) \(kind) \(numbers): \(answer)")
                    }
                }
            }
        },
        Attack(
            "a device node in the lower layer", .lowerDevice, grounds: Ground.asRoot,
            control: .succeeds { scene in
                try await scene.comesThrough(["open-device"] + scene.nodes())
            }
        ) { scene in
            let nodes = try scene.nodes()
            let (answer, _) = try await scene.inside(["open-device"] + nodes)
            #expect(answer.isRefused && !answer.description.contains("ENOENT"), "\(answer)")
        },
    ]

    static let marks: [Attack] = [
        Attack("forged whiteouts and overlay attributes", .forgedMarks, control: .bare("forge", "DIR/place")) { scene in
            let layer = try scene.layer()
            _ = try await scene.withSandbox({ $0.overlays = [layer] }) { sandbox in
                let answer = try await scene.attack(["forge", "DIR/place"], in: sandbox)
                #expect(answer.isRefused, "\(answer)")
            }
            let forged = "\(layer.upper)\(scene.directory)/place"
            let names = try Files.entries(forged).map { String(decoding: $0, as: UTF8.self) }.sorted()
            #expect(names == ["from"])
            for path in [forged, "\(forged)/from"] {
                let found = try Files.xattrs(path).keys.filter {
                    // The kernel's own; “user.” where it is an ordinary user's overlay.
                    !["origin", "impure"].flatMap { ["trusted.overlay.\($0)", "user.overlay.\($0)"] }.contains($0)
                }
                #expect(found.isEmpty, "\(path): \(found)")
            }
        }
    ]
}

extension Scene {
    /// The secret's handle: its type and bytes.
    fileprivate func handle() async throws -> [String] {
        guard case .succeeded(let text) = try await bare(["handle-make", "SECRET"]) else {
            throw SandboxError.invalid("This file system gives no handles.")
        }
        return text.split(separator: " ").map(String.init)
    }

    /// A disk of this machine, by its numbers: the one that the root lies on, or any.
    fileprivate func disk() throws -> [String] {
        if let device = try Files.status("/")?.device, device.major != 0 {
            return ["\(device.major)", "\(device.minor)"]
        }
        for name in try Files.entries("/sys/block") {
            let text = try Files.readString("/sys/block/\(String(decoding: name, as: UTF8.self))/dev")
            return text.split(whereSeparator: { $0 == ":" || $0 == "\n" }).map(String.init)
        }
        throw SandboxError.invalid("This machine has no disk.")
    }

    /// Nodes as they lie in a chroot or a container's root.
    fileprivate func nodes() throws -> [String] {
        let numbers = try disk().compactMap(UInt32.init)
        let wanted: [(String, Status.Kind, DeviceNumber)] = [
            ("disk", .blockDevice, DeviceNumber(major: numbers[0], minor: numbers[1])),
            ("null", .characterDevice, DeviceNumber(major: 1, minor: 3)),
            ("mem", .characterDevice, DeviceNumber(major: 1, minor: 1)),
        ]
        return try wanted.map { name, kind, device in
            let path = "\(made)/\(name)"
            try Files.mknod(path, kind: kind, mode: 0o666, device: device)
            try Files.chmod(path, 0o666)
            return path
        }
    }
}
