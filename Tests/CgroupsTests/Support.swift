import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

let isRoot = geteuid() == 0

/// Whether this process may make cgroups here; else the tests against the kernel are skipped, visibly.
let canMakeCgroups: Bool = {
    guard isRoot, let host = try? CgroupHost.detect() else { return false }
    let name = testPath("probe")
    guard let probe = try? Cgroup.create(on: host, path: name) else { return false }
    return (try? probe.removeBlocking()) != nil
}()

func testPath(_ name: String) -> String { "grace-test-\(getpid())-\(name)-\(UInt32.random(in: .min ... .max))" }

func withDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
    let path = "/var/tmp/grace-test-\(getpid())-\(UInt64.random(in: .min ... .max))"
    try Files.makeDirectory(path)
    do {
        let result = try await body(path)
        try Files.removeTree(path)
        return result
    } catch {
        try? Files.removeTree(path)
        throw error
    }
}

/// Makes plain files below `root` that look like a cgroup tree.
func plant(_ files: [String: String], in root: String) throws {
    for (path, content) in files {
        let full = BytePath("\(root)/\(path)")
        try Files.makeDirectory(full.parent, intermediate: true)
        try Files.writeAtomically(full, Array(content.utf8))
    }
}

/// The ways this host's kernel can be looked at, so that one machine tests every layout against real processes.
enum View: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// As it is mounted.
    case real
    /// The version 2 tree alone (on a hybrid host: without controllers).
    case unifiedOnly
    /// The version 1 hierarchies alone.
    case legacyOnly

    var testDescription: String { rawValue }

    static var possible: [View] {
        guard let host = try? CgroupHost.detect() else { return [] }
        return host.layout == .hybrid ? allCases : [.real]
    }

    func run<T>(_ body: (CgroupHost) async throws -> T) async throws -> T {
        switch self {
        case .real: return try await body(try CgroupHost.detect())
        case .unifiedOnly: return try await body(try CgroupHost.detect(root: "/sys/fs/cgroup/unified"))
        case .legacyOnly:
            return try await withDirectory { directory in
                for name in ["memory", "pids", "cpu", "cpuacct", "freezer", "blkio", "systemd"]
                where try Files.status("/sys/fs/cgroup/\(name)") != nil {
                    try Files.symlink("/sys/fs/cgroup/\(name)", at: "\(directory)/\(name)")
                }
                return try await body(try CgroupHost.detect(root: directory))
            }
        }
    }
}

/// A cgroup of the test's own, killed and removed afterwards, whatever happens.
func withCgroup<T>(
    on host: CgroupHost, _ name: String, _ limits: CgroupLimits = CgroupLimits(), _ body: (Cgroup) async throws -> T
) async throws -> T {
    let cgroup = try Cgroup.create(on: host, path: testPath(name), limits: limits)
    do {
        let result = try await body(cgroup)
        try await cgroup.kill()
        try await cgroup.remove()
        return result
    } catch {
        try? await cgroup.kill()
        try? await cgroup.remove()
        throw error
    }
}

/// Starts a shell line inside a cgroup: the child joins by the descriptors before it runs the line.
func start(_ line: String, in cgroup: Cgroup, output: Descriptor? = nil) throws -> Int32 {
    let descriptors = try cgroup.joinDescriptors()
    let null = try Files.open("/dev/null", flags: O_WRONLY)
    let join = descriptors.indices.map { "echo 0 >&\($0 + 3)" }.joined(separator: " && ")
    let pid = try Processes.spawn(
        "/bin/bash", arguments: ["-c", "\(join) || exit 99\n\(line)"],
        descriptors: descriptors.enumerated().map { (Int32($0.offset + 3), $0.element.raw) }
            + [(1, output?.raw ?? null.raw), (2, 2)])
    withExtendedLifetime((descriptors, output, null)) {}
    // It joins by itself: a kill before that would miss it.
    while Processes.startTime(of: pid) != nil, Processes.state(of: pid) != "Z", try !cgroup.processes().contains(pid) {
        usleep(500)
    }
    return pid
}

/// Waits until `condition` holds; the test fails if it never does.
func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
    for _ in 0..<4000 {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("it never came true that \(what)")
}
