import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Other processes, and programs with rights of their own.
extension Attack {
    static let processes: [Attack] = [
        Attack("kill(-1)", .signals, control: .bare("--namespaces", "mp", "kill-all", "bare")) { scene in
            try await scene.withVictim { pid, _ in
                let (answer, _) = try await scene.inside(["kill-all"])
                #expect(answer.isRefused, "\(answer)")
                #expect(scene.isAlive(pid))
            }
        },
        Attack(
            "signals to host pids", .signals, anyUserCan: true,
            control: .succeeds { scene in
                try await scene.withVictim { pid, _ in try await scene.comesThrough(["signal", "\(pid)"]) }
            }
        ) { scene in
            try await scene.withVictim { pid, _ in
                let (answer, _) = try await scene.inside(["signal", "\(pid)", "\(getpid())"])
                #expect(answer.isRefused, "\(answer)")
                #expect(scene.isAlive(pid))
            }
        },
        onAnother("ptrace", arguments: ["ptrace"]),
        onAnother("reading another's memory", arguments: ["read-memory"]),
        onAnother("writing another's memory", arguments: ["write-memory"]),
        Attack(
            "secrets in /proc/1/environ and its neighbours", .environment, anyUserCan: true,
            control: .succeeds { scene in
                try await scene.withVictim { _, _ in
                    try await scene.comesThrough(["environ", Scene.secretText])
                }
            }
        ) { scene in
            setenv("GRACE_ATTACK_SECRET", Scene.secretText, 1)
            defer { unsetenv("GRACE_ATTACK_SECRET") }
            try await scene.withVictim { _, _ in
                // It cannot look for what it carries itself: half of the text is enough.
                let (answer, _) = try await scene.inside(["environ", String(Scene.secretText.dropFirst(3))])
                #expect(answer.isRefused, "\(answer)")
            }
        },
        // In the fallback user ids are the host's own: there this is not promised (docs/sandbox.md).
        Attack(
            "a host process signalling the sandbox", .rangeSignals, grounds: Ground.mapped,
            control: .succeeds { scene in
                // Whoever has the sandbox's user id can: so no user of the host may lie in its range.
                try await scene.withVictim(user: PlanWriter.mappedFirst) { pid, _ in
                    try await scene.comesThrough(["--user", "\(PlanWriter.mappedFirst)", "signal", "\(pid)"])
                }
            }
        ) { scene in
            _ = try await scene.withSandbox { sandbox in
                let process = try await sandbox.spawn(Command(arguments: [scene.program, "victim", "x"]))
                let inside = try (sandbox.cgroup?.processes() ?? []).filter {
                    try Files.status("/proc/\($0)")?.uid == PlanWriter.mappedFirst
                }
                #expect(!inside.isEmpty)
                for user in [UInt32(1000), 65534, 100_000, PlanWriter.mappedFirst - 1] {
                    for pid in try sandbox.cgroup?.processes() ?? [] {
                        let answer = try await scene.bare(["--user", "\(user)", "signal", "\(pid)"])
                        #expect(answer.isRefused, "\(user): \(answer)")
                    }
                }
                #expect(inside.allSatisfy(scene.isAlive))
                await process.signal(SIGKILL)
            }
            // A host on which somebody has such an id gets no mapped root.
            let directory = "\(scene.made)/etc"
            try Files.makeDirectory(directory)
            try Files.writeAtomically("\(directory)/passwd", Data("x:x:\(PlanWriter.mappedFirst):1::/:/bin/sh\n".utf8))
            #expect(try IDRange.taken(from: PlanWriter.mappedFirst, etc: directory) != nil)
        },
    ]

    /// Not where Yama keeps users from processes that are not their children (`kernel.yama.ptrace_scope`).
    private static let anyUserTraces =
        ((try? Files.readString("/proc/sys/kernel/yama/ptrace_scope")) ?? "0").hasPrefix("0")

    private static func onAnother(_ name: String, arguments: [String]) -> Attack {
        Attack(
            name, .tracing, grounds: Ground.tracing, anyUserCan: anyUserTraces,
            control: .succeeds { scene in
                try await scene.withVictim { pid, address in
                    try await scene.comesThrough(arguments + ["\(pid)", address])
                }
            }
        ) { scene in
            try await scene.withVictim { pid, address in
                let (answers, _) = try await scene.withSandbox { sandbox in
                    // The victim by its number on the host, and the sandbox's own PID 1.
                    [
                        try await scene.attack(arguments + ["\(pid)", address], in: sandbox),
                        try await scene.attack(arguments + ["1", "400000"], in: sandbox),
                    ]
                }
                for answer in answers { #expect(answer.isRefused, "\(answer)") }
                #expect(scene.isAlive(pid))
                let memory = try Files.open("/proc/\(pid)/mem", flags: O_RDONLY)
                let held = try Files.pread(
                    memory, count: Scene.secretText.utf8.count, offset: Int64(address.dropFirst(2), radix: 16) ?? 0)
                #expect(String(decoding: held, as: UTF8.self) == Scene.secretText)
            }
        }
    }

    static let programs: [Attack] = [
        Attack(
            "overwriting the program that starts the sandbox", .executableOverwrite, anyUserCan: true,
            control: .succeeds { scene in
                let copy = "\(scene.made)/grace-sandbox"
                try Files.writeAtomically(copy, try Files.read(scene.program), mode: 0o755)
                let pid = try Processes.spawn(copy, arguments: ["victim", "x"])
                let answer = try await scene.bare(["exe-overwrite", "\(scene.made)/grace-sandbox", "10"])
                try? Processes.kill(pid, SIGKILL)
                _ = try await Processes.wait(pid)
                #expect(answer.isSuccess, "\(answer)")
                #expect(try Files.read(copy).prefix(11) == Data("#!/bin/evil".utf8))
            }
        ) { scene in
            let helper = "\(scene.made)/grace-sandbox"
            let content = try Files.read(try SandboxEngine.locateHelper())
            try Files.writeAtomically(helper, content, mode: 0o755)
            // “#!/proc/self/exe”: the kernel executes grace-sandbox once more, as an ordinary program of the sandbox, and it stays.
            let entry = "\(scene.directory)/place/entry"
            try Files.writeAtomically(entry, Data("#!/proc/self/exe thaw\n".utf8), mode: 0o755)
            let (read, write) = try Descriptor.pipe()
            _ = try await scene.withSandbox(engine: scene.engine(helper: helper)) { sandbox in
                let stays = try await sandbox.spawn(Command(arguments: [entry, "x", "60"]), stdin: .descriptor(read))
                let answer = try await scene.attack(["exe-overwrite", "grace-sandbox", "1"], in: sandbox)
                // It gets as far as opening the file to write. With a mapped root the file is nobody's; without one PID 1 executes it as
                // long as anything inside lives to write it (ETXTBSY).
                let wall = scene.ground.mode == .mapped ? "EACCES" : "ETXTBSY"
                #expect(answer == .refused("the executable to write \(wall)"))
                await stays.signal(SIGKILL)
            }
            write.close()
            #expect(try Files.read(helper) == content)
            try Files.unlink(entry)
        },
        Attack(
            "setuid and file-capability programs", .setuid, grounds: Ground.asRoot,
            control: .succeeds { scene in
                try await scene.comesThrough(["setuid-make", "DIR/place/su"])
                let output = try await Processes.run(
                    "\(scene.directory)/place/su", arguments: ["rights"], user: (65534, 65534))
                #expect(Answer(output.exit, output.output).isSuccess, "\(output.output)\(output.errorOutput)")
            }
        ) { scene in
            let profile = try scene.ground.used()
            _ = try await scene.withSandbox { sandbox in
                let made = try await scene.attack(["setuid-make", "DIR/place/su"], in: sandbox)
                #expect(made.isSuccess, "\(made)")
                let process = try await sandbox.spawn(
                    Command(arguments: ["\(scene.directory)/place/su", "rights"], user: "daemon"),
                    stdout: .capture(limit: 4096))
                let exit = try await process.wait()
                let answer = Answer(exit, String(decoding: process.stdout, as: UTF8.self))
                if profile.noNewPrivileges || scene.ground.mode == .plain {
                    #expect(answer.isRefused, "\(answer)")
                } else {
                    // As on live, but root inside alone, with what the profile grants.
                    guard case .succeeded(let rights) = answer else {
                        Issue.record("\(answer)")
                        return
                    }
                    let held = UInt64(rights.split(separator: " ").last ?? "", radix: 16) ?? .max
                    #expect(held & ~Capabilities.mask(profile.capabilities) == 0, "\(rights)")
                }
                // On disk it is a setuid-root program of the host's: nobody may reach it there.
                for name in try Files.entries("\(scene.directory)/scratch") {
                    let path = "\(scene.directory)/scratch/\(String(decoding: name, as: UTF8.self))"
                    let found = try await Processes.run(
                        "/usr/bin/find", arguments: [path, "-name", "su", "-type", "f"])
                    for file in found.output.split(separator: "\n") where file.hasSuffix("/place/su") {
                        let output = try? await Processes.run(String(file), arguments: ["rights"], user: (65534, 65534))
                        #expect(output == nil || output?.isSuccess == false, "\(file)")
                    }
                }
            }
        },
    ]

    static let endings: [Attack] = [
        Attack(
            "a double-forked daemon", .daemons, anyUserCan: true,
            control: .succeeds { scene in
                guard case .succeeded(let text) = try await scene.bare(["daemon"]), let pid = Int32(text) else {
                    Issue.record("no daemon")
                    return
                }
                #expect(scene.isAlive(pid))
                try Processes.kill(pid, SIGTERM)
                #expect(scene.isAlive(pid))
                try Processes.kill(pid, SIGKILL)
            }
        ) { scene in
            let (pids, _) = try await scene.withSandbox { sandbox -> [Int32] in
                let answer = try await scene.attack(["daemon"], in: sandbox)
                #expect(answer.isSuccess, "\(answer)")
                return try scene.processes(of: sandbox)
            }
            // PID 1, where there is a control group that knows it, and the daemon.
            #expect(pids.count >= (scene.ground.mode == .ordinary ? 1 : 2))
            for pid in pids { #expect((try? Files.readString("/proc/\(pid)/comm")) != "grace-attack\n") }
        },
        Attack(
            "writes after the end", .lateWrites, anyUserCan: true,
            control: .succeeds { scene in
                let file = "\(scene.directory)/place/count"
                guard case .succeeded(let text) = try await scene.bare(["daemon-writer", file]), let pid = Int32(text)
                else {
                    Issue.record("no daemon")
                    return
                }
                let first = try await changed(file, from: nil)
                #expect(try await changed(file, from: first) != first)
                try Processes.kill(pid, SIGKILL)
            }
        ) { scene in
            let layer = try scene.layer()
            let file = "\(layer.upper)\(scene.directory)/place/count"
            _ = try await scene.withSandbox({ $0.overlays = [layer] }) { sandbox in
                let answer = try await scene.attack(["daemon-writer", "DIR/place/count"], in: sandbox)
                #expect(answer.isSuccess, "\(answer)")
                let first = try await changed(file, from: nil)
                #expect(try await changed(file, from: first) != first)
            }
            let end = try Files.read(file)
            try await Task.sleep(for: .milliseconds(100))
            #expect(try Files.read(file) == end)
        },
        Attack(
            "a CPU hog that ignores every signal", .hog, anyUserCan: true,
            control: .succeeds { scene in
                try await scene.withBackground(["hog", "ends-with-its-parent"]) { pid, _ in
                    try Processes.kill(-pid, SIGTERM)
                    try await Task.sleep(for: .milliseconds(50))
                    #expect(scene.isAlive(pid))
                }
            }
        ) { scene in
            let (pids, outcome) = try await scene.withSandbox({ $0.profile.limits.time = 3 }) { sandbox -> [Int32] in
                let process = try await sandbox.spawn(
                    Command(arguments: [scene.program, "hog"]), stdout: .capture(limit: 4096))
                // Not before it ignores them.
                for _ in 0..<500 where process.stdout.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
                let pids = try scene.processes(of: sandbox)
                await process.signalGroup(SIGTERM)
                #expect(try await process.wait() == .signaled(SIGKILL))
                return pids
            }
            #expect(outcome.breach == .timeout)
            #expect(pids.count >= 2)
            #expect(pids.allSatisfy { (try? Files.readString("/proc/\($0)/cmdline"))?.contains("hog") != true })
        },
    ]

    /// Waits until a file holds something else.
    private static func changed(_ path: String, from before: Data?) async throws -> Data? {
        for _ in 0..<500 {
            if let now = try? Files.read(path), !now.isEmpty, now != before { return now }
            try await Task.sleep(for: .milliseconds(20))
        }
        return before
    }
}
