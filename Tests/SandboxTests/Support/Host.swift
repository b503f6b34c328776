import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// What tests need of the host, and a place of their own on it.
enum Host {
    static let isRoot = geteuid() == 0

    /// A directory of the test's own, outside of what sandboxes get fresh, removed afterwards; below `GRACE_TEST_PLACE`, if that is
    /// set.
    static func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let place = getenv("GRACE_TEST_PLACE").map { String(cString: $0) } ?? "/var/tmp"
        let path = "\(place)/grace-sandbox-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.makeDirectory(path, mode: 0o755, intermediate: true)
        do {
            let result = try await body(path)
            try Scratch.remove(path)
            removeGroups(path)
            return result
        } catch {
            try? Scratch.remove(path)
            removeGroups(path)
            throw error
        }
    }

    /// The control group of one test's engines, named after its directory; below `GRACE_TEST_GROUP`, such as a unit's that
    /// systemd has delegated, if that is set.
    static func group(_ directory: String) -> String {
        (getenv("GRACE_TEST_GROUP").map { String(cString: $0) + "/" } ?? "") + "grace-test-\(getpid())-"
            + String(directory.split(separator: "-").last ?? "0")
    }

    private static func removeGroups(_ directory: String) {
        for place in (try? Files.entries("/sys/fs/cgroup")) ?? [] {
            try? Files.removeDirectory("/sys/fs/cgroup/\(String(decoding: place, as: UTF8.self))/\(group(directory))")
        }
        try? Files.removeDirectory("/sys/fs/cgroup/\(group(directory))")
    }

    static func engine(_ directory: String) throws -> SandboxEngine {
        SandboxEngine(
            cgroups: try CgroupHost.detect(), cgroupParent: group(directory),
            helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch")
    }

    /// A profile as open as `service`, without limits.
    static func profile(_ change: (inout Profile) -> Void = { _ in }) -> Profile {
        var profile = Profile(name: "test", network: .loopback, noNewPrivileges: false)
        profile.capabilities = [
            "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SETFCAP",
            "NET_BIND_SERVICE",
            "SYS_CHROOT",
        ]
        change(&profile)
        return profile
    }

    /// Starts a sandbox, hands it over, ends it in any case.
    static func withSandbox<Result>(
        _ specification: SandboxSpecification? = nil, profile: Profile? = nil,
        _ body: (Sandbox, String) async throws -> Result
    ) async throws -> (Result, SandboxOutcome) {
        try await withDirectory { directory in
            let engine = try engine(directory)
            let sandbox = try await engine.start(
                specification ?? SandboxSpecification(profile: profile ?? Self.profile(), label: "test"))
            let result: Result
            do {
                result = try await body(sandbox, directory)
            } catch {
                _ = try? await sandbox.end()
                throw error
            }
            return (result, try await sandbox.end())
        }
    }
}

extension Sandbox {
    /// Runs a line of shell to its end; its exit and what it said on both streams.
    func shell(_ line: String, user: String? = nil) async throws -> (exit: ProcessExit, out: String, err: String) {
        var command = Command.shell(line)
        command.user = user
        let process = try await spawn(command, stdout: .capture(limit: 1 << 20), stderr: .capture(limit: 1 << 20))
        let exit = try await process.wait()
        return (exit, String(decoding: process.stdout, as: UTF8.self), String(decoding: process.stderr, as: UTF8.self))
    }
}
