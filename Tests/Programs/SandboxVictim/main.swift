// For tests that need a process of its own around the engine:
//   sandbox-victim SCRATCH CGROUP HELPER                      starts sandboxes one after another until it is killed
//   sandbox-victim once SCRATCH CGROUP HELPER REQUIRE LINE    runs a line of shell in one, under a profile that requires REQUIRE
//                                                             (`-`: nothing); says on standard error what it did without
import Cgroups
import Glibc
import Linux
import Sandbox

let arguments = CommandLine.arguments
if arguments.count == 7, arguments[1] == "once" {
    exit(await once(Array(arguments[2...])))
}
guard arguments.count == 4 else { exit(2) }
let engine = SandboxEngine(
    cgroups: try CgroupHost.detect(), cgroupParent: arguments[2], helper: arguments[3], scratch: arguments[1])
var profile = Profile(name: "victim", network: .loopback)
profile.capabilities = ["KILL"]
print("ready")
fflush(nil)
var round = 0
while true {
    round += 1
    // Every other one has its layers on an image.
    profile.limits =
        round % 2 == 0 ? SandboxLimits(memory: 16 << 20, pids: 64, disk: 24 << 20) : SandboxLimits(pids: 64)
    async let first: Void = one("a")
    async let second: Void = one("b")
    _ = try await (first, second)
}

func one(_ label: String) async throws {
    let sandbox = try await engine.start(SandboxSpecification(profile: profile, label: label))
    let process = try await sandbox.spawn(
        .shell("setsid sleep 1000 & sleep 1000 & echo x > /etc/grace-victim; kill -0 1; exit 0"))
    _ = try await process.wait()
    _ = try await sandbox.end()
}

func once(_ arguments: [String]) async -> Int32 {
    var profile = Profile(name: "once", network: .loopback)
    profile.capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETUID", "SETGID"]
    profile.limits = SandboxLimits(time: 60)
    if let feature = Feature(rawValue: arguments[3]) { profile.require = [feature] }
    let engine = SandboxEngine(
        cgroups: try? CgroupHost.detect(), cgroupParent: arguments[1], helper: arguments[2], scratch: arguments[0])
    func say(_ text: String) {
        let line = text + "\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
    do {
        let (exit, _, fallbacks) = try await engine.run(
            SandboxSpecification(profile: profile, label: "once"), .shell(arguments[4]))
        for fallback in fallbacks {
            say("fallback \(fallback.feature.rawValue): \(fallback.detail) \(fallback.mend ?? "")")
        }
        say("left behind: \(!((try? Files.entries(arguments[0])) ?? []).isEmpty)")
        return exit.shellCode
    } catch {
        say("\(error)")
        say("left behind: \(!((try? Files.entries(arguments[0])) ?? []).isEmpty)")
        return 125
    }
}
