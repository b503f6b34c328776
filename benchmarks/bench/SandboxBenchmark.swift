import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Sandbox

/// `scripts/bench sandbox`: Grace's engine beside its peers and the raw floor, interleaved in random order in one run.
struct SandboxBenchmark {
    let options: Options
    let engine: SandboxEngine
    /// Another one, with a scratch directory and a zygote of its own.
    let makeEngine: @Sendable (String) -> SandboxEngine
    /// As strict as it gets: no network, limits, a mapped root that is demanded.
    let specification: SandboxSpecification
    let command = Command(arguments: ["/bin/true"])
    /// Where the benchmark's C programs lie.
    let tools: String
    /// What the engine would hide and layer here, for the floor to do the same.
    let view: HostView

    init(_ options: Options) throws {
        self.options = options
        tools = try options.value("tools")
        let scratch = try options.value("scratch")
        let cgroups = try CgroupHost.detect()
        let helper = try options.value("helper")
        makeEngine = { name in
            SandboxEngine(
                cgroups: cgroups, cgroupParent: "grace-bench-\(getpid())", helper: helper, scratch: "\(scratch)/\(name)"
            )
        }
        engine = makeEngine("engine")
        var profile = try ProfileLibrary(directories: [try options.value("profiles")]).profile(named: "strict")
        profile.require = [.mappedRoot]
        specification = SandboxSpecification(profile: profile, label: "bench")
        view = HostView.current(mounts: try MountInfo.read(), mask: [engine.scratch])
    }

    func run() async throws -> Report {
        var report = Report()
        report.text(try describe())
        if options.includes("start") { try await starts(&report) }
        if options.includes("growth") { try await growth(&report) }
        if options.includes("rate") { try await rates(&report) }
        if options.includes("idle") { try await idle(&report) }
        if options.includes("calls") { try await calls(&report) }
        return report
    }

    /// The machine, the kernel and every version, in a paragraph.
    private func describe() throws -> String {
        var versions: [String] = []
        for (program, flag) in [
            ("bwrap", "--version"), ("crun", "--version"), ("runc", "--version"), ("firejail", "--version"),
        ] {
            versions.append(Self.firstLine(program, flag) ?? "\(program) is not installed")
        }
        let nested = view.overlays.count - 1
        return """
            \(HostText.processor), \(Processes.processorCount) processors, \(HostText.memory); Linux \(HostText.kernel), \
            \(engine.cgroups?.layout.rawValue ?? "no") control groups, \(nested) nested \(nested == 1 ? "mount" : "mounts") below “/”. \
            Grace \((try? options.value("revision")) ?? "of an unknown revision"), release build; \(versions.joined(separator: ", ")).
            """
    }

    static func firstLine(_ program: String, _ flag: String) -> String? {
        guard let (read, write) = try? Descriptor.pipe(),
            let pid = try? Processes.spawn(program, arguments: [flag], descriptors: [(1, write.raw)])
        else { return nil }
        write.close()
        let text = (try? Files.read(read, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        _ = try? Processes.waitBlocking(pid)
        return text.split(separator: "\n").first.map(String.init)
    }

    /// Those of the peers that run here, and a sentence on each that is installed and doesn't.
    func able(_ peers: [Peer]) -> (peers: [Peer], refusals: [String]) {
        var refusals: [String] = []
        let peers = peers.filter { peer in
            guard (try? Processes.locate(peer.program)) != nil else { return false }
            do { _ = try peer.run() } catch {
                refusals.append("\(peer.name) does not run on this machine and is left out: \(error)")
                return false
            }
            return true
        }
        return (peers, refusals)
    }

    /// One sandbox from nothing: until the exit of /bin/true is known, and until nothing is left of it.
    func cold(_ other: SandboxEngine? = nil) async throws -> (exit: Double, end: Double) {
        let engine = other ?? self.engine
        let begin = milliseconds()
        let sandbox = try await engine.start(specification)
        let process = try await sandbox.spawn(command)
        let exit = try await process.wait()
        let taken = milliseconds() - begin
        guard exit.isSuccess, sandbox.fallbacks.isEmpty else {
            throw BenchError("The sandbox was not what is measured: \(exit), \(sandbox.fallbacks).")
        }
        _ = try await sandbox.end()
        return (taken, milliseconds() - begin)
    }
}

extension Processes {
    static var processorCount: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
}
