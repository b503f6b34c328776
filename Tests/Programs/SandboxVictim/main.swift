// Starts sandboxes one after another until it is killed: `sandbox-victim SCRATCH CGROUP HELPER`. For tests of what a kill leaves.
import Cgroups
import Glibc
import Linux
import Sandbox

let arguments = CommandLine.arguments
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
