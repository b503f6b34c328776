import Cgroups
import Documents
import FoundationEssentials
import Glibc
import Linux
import Sandbox

@testable import Fork

/// Whether overlays can be mounted here.
let isRoot = geteuid() == 0

/// A live tree with forks of it, in a directory of its own that is removed at the end.
struct Scene {
    let directory: String
    /// Stands for a live mount.
    let live: String
    let store: ForkStore
    let blobs: BlobStore

    init(at directory: String? = nil) throws {
        self.directory = directory ?? "/var/tmp/grace-test-fork-\(getpid())-\(UUID().uuidString.prefix(8))"
        live = self.directory + "/live"
        try Files.makeDirectory(live, mode: 0o755, intermediate: true)
        store = ForkStore(root: self.directory + "/state/forks", mountPoints: [live], masks: [live + "/masked"])
        blobs = BlobStore(root: self.directory + "/state/blobs")
    }

    func remove() { try? Files.removeTree(directory) }

    /// Makes a scene, runs `body` in it and removes it.
    static func with<T>(at directory: String? = nil, _ body: (Scene) async throws -> T) async throws -> T {
        let scene = try Scene(at: directory)
        defer { scene.remove() }
        return try await body(scene)
    }

    /// Runs a bash script with `directory` as its working directory.
    @discardableResult
    func bash(_ script: String, in directory: String? = nil) async throws -> String {
        let output = try await Processes.run(
            "/bin/bash", arguments: ["-c", script], timeout: .seconds(60), directory: directory ?? live)
        guard output.isSuccess else { throw Failure("\(script): \(output.exit) \(output.errorOutput)") }
        return output.output
    }

    /// Runs a bash script in the live directory as an arm of a fork sees it, in a private mount namespace.
    @discardableResult
    func bash(_ script: String, in arm: Fork.Arm, of fork: Fork) async throws -> String {
        var mounts = ""
        for overlay in try fork.overlays(for: arm) {
            let lowers = (overlay.lowers + [overlay.mountPoint]).joined(separator: ":")
            mounts +=
                "mount -t overlay overlay -o lowerdir=\(lowers),upperdir=\(overlay.upper),workdir=\(overlay.work),"
                + "redirect_dir=off,metacopy=off,index=off,xino=off\(overlay.volatile ? ",volatile" : "") '\(overlay.mountPoint)' || exit 99\n"
        }
        let output = try await Processes.run(
            "/usr/bin/unshare",
            arguments: ["-m", "--propagation", "private", "/bin/bash", "-c", mounts + "cd '\(live)'\n" + script],
            timeout: .seconds(60), directory: "/")
        guard output.isSuccess else { throw Failure("\(script): \(output.exit) \(output.errorOutput)") }
        return output.output
    }

    /// Forks, runs `script` as the change, and gives what it did.
    func change(_ script: String, id: String = "fork") async throws -> (fork: Fork, changes: ChangeSet) {
        let fork = try store.create(id: id)
        try await bash(script, in: .apply, of: fork)
        return (fork, try fork.changeSet(blobs: blobs))
    }

    /// Runs a bash script in a control group of its own while `body` runs.
    static func inGroup<T>(_ script: String, _ body: (Cgroup, Int32) async throws -> T) async throws -> T {
        let host = try CgroupHost.detect()
        let group = try Cgroup.create(on: host, path: "grace-test-\(getpid())-fork-\(UInt32.random(in: 0 ... .max))")
        let pipe = try Descriptor.pipe()
        let pid = try Processes.spawn(
            "/bin/bash", arguments: ["-c", "read -r go; \(script)"], descriptors: [(0, pipe.read.raw)], group: .new)
        let result: Result<T, any Error>
        do {
            try group.add(pid: pid)
            try Files.write(pipe.write, Data("go\n".utf8))
            result = .success(try await body(group, pid))
        } catch {
            result = .failure(error)
        }
        try? group.thaw()
        try? await group.kill()
        _ = try? await Processes.wait(pid)
        try await group.remove()
        return try result.get()
    }

    /// `path` below live.
    func path(_ path: String) -> BytePath { BytePath(live + "/" + path) }

    /// A change set in short: “create file a”.
    func short(_ changes: ChangeSet) -> [String] {
        changes.changes.map { change in
            let names = change.path.components.dropFirst(BytePath(live).components.count)
            let relative = BytePath(bytes: Array(names.joined(separator: [UInt8(ascii: "/")])))
            return "\(change.kind.rawValue) \(change.type.rawValue) \(relative.display)"
        }
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// SplitMix64: the same numbers for the same seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
