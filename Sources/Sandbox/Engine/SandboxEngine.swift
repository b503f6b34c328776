public import Cgroups
internal import CSandbox
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// Starts sandboxes on this host.
///
/// ```swift
/// let engine = SandboxEngine(cgroups: try CgroupHost.detect(), helper: try SandboxEngine.locateHelper(), scratch: "/var/lib/grace/scratch")
/// let sandbox = try await engine.start(SandboxSpecification(profile: profile))
/// let process = try await sandbox.spawn(.shell("id"), stdout: .capture(limit: 4096))
/// print(try await process.wait(), process.stdout)
/// let outcome = try await sandbox.end()
/// ```
public final class SandboxEngine: Sendable {
    /// How the host's control groups are laid out; `nil` where there are none: then no limit can be set.
    public let cgroups: CgroupHost?
    /// The control group below which sandboxes get theirs.
    public let cgroupParent: String
    /// The path of `grace-sandbox`.
    public let helper: String
    /// A directory for throw-away layers. What agents that were killed left there is removed when an engine is made.
    public let scratch: String
    /// How sandboxes with `network: egress` reach the outside.
    public let outside: EgressOutside
    /// What sandboxes are forked from.
    let zygote: Zygote
    /// What is known of the host.
    let ground: Ground
    /// What was started ahead.
    let pool = Pool()
    /// Whether ``sweep()`` is called beside each command of ``run(_:_:streams:extra:signals:ready:)``.
    let sweepsBesideCommands: Bool
    /// Compiled system-call filters.
    let filters: FilterCache
    /// 0 when the kernel can report denied calls, else an errno.
    let canReport: @Sendable () -> Int32
    /// Over all engines of the process: it is part of the names of directories and control groups.
    private static let counter = Atomic<UInt64>(0)

    /// Whether root inside is mapped where it can be. Off in tests of the fallback alone.
    let mapsRoot: Bool
    /// Changes each plan just before it is written: in tests alone, which leave a defence out to show that an attack is a real one.
    /// Internal on purpose: no profile, mission, argument, environment variable or other module can ask for it.
    let weaken: (@Sendable (inout csandbox_plan) -> Void)?

    /// - Parameters:
    ///   - cgroups: How the host's control groups are laid out.
    ///   - cgroupParent: The control group below which sandboxes get theirs.
    ///   - helper: The path of `grace-sandbox`.
    ///   - scratch: A directory for throw-away layers.
    ///   - outside: How sandboxes with `network: egress` reach the outside.
    ///   - storedFilters: A directory in which compiled system-call filters are kept for the next process, which then starts its
    ///     sandbox sooner; made when it is needed. `nil`: none.
    ///   - sweeps: Whether what killed agents left there is removed now; else by ``sweep()``, or, by `grace doctor`, only looked at.
    public convenience init(
        cgroups: CgroupHost?, cgroupParent: String = "grace", helper: String, scratch: String,
        outside: EgressOutside = EgressOutside(), storedFilters: String? = nil, sweeps: Bool = true
    ) {
        self.init(
            cgroups: cgroups, cgroupParent: cgroupParent, helper: helper, scratch: scratch, outside: outside,
            filters: storedFilters.map { FilterCache(stored: StoredFilters(directory: $0)) } ?? .shared,
            canReport: { csandbox_can_report() }, sweeps: sweeps)
    }

    /// As above, from what was begun before: then what killed agents left is removed while a command runs
    /// (``run(_:_:streams:extra:signals:ready:)``), as far as its time reaches.
    public convenience init(
        cgroups: CgroupHost?, cgroupParent: String = "grace", ahead: HeadStart, scratch: String,
        storedFilters: String? = nil
    ) {
        self.init(
            cgroups: cgroups, cgroupParent: cgroupParent, helper: ahead.zygote.helper, scratch: scratch,
            filters: storedFilters.map { FilterCache(stored: StoredFilters(directory: $0)) } ?? .shared,
            canReport: { csandbox_can_report() }, sweeps: false, ahead: ahead)
    }

    init(
        cgroups: CgroupHost?, cgroupParent: String, helper: String, scratch: String,
        outside: EgressOutside = EgressOutside(), filters: FilterCache, canReport: @escaping @Sendable () -> Int32,
        mapsRoot: Bool = true, sweeps: Bool = true, ahead: HeadStart? = nil,
        weaken: (@Sendable (inout csandbox_plan) -> Void)? = nil
    ) {
        self.mapsRoot = mapsRoot
        self.weaken = weaken
        self.outside = outside
        self.cgroups = cgroups
        self.cgroupParent = cgroupParent
        self.helper = helper
        self.scratch = scratch
        zygote = ahead?.zygote ?? Zygote(helper: helper)
        ground = ahead?.ground ?? Ground()
        self.filters = filters
        self.canReport = canReport
        sweepsBesideCommands = ahead != nil
        if sweeps { sweep() }
    }

    /// Removes what killed agents left below ``scratch`` and ``cgroupParent``. Blocks.
    public func sweep() {
        Scratch.sweep(scratch)
        cgroups?.sweep(below: cgroupParent, where: Scratch.isAbandoned)
    }

    deinit {
        let left = pool.drain()
        if !left.isEmpty { Task { for sandbox in left { _ = try? await sandbox.end() } } }
    }

    /// Finds a program of Grace's: in `GRACE_LIBEXEC_DIR`, beside this one, or, in a test run, among the products of the build.
    ///
    /// - Parameters:
    ///   - name: `grace-sandbox`, unless another one is wanted.
    ///   - installedApart: Whether it may also lie in `../libexec/grace` or `../lib/grace`.
    /// - Returns: Its path.
    /// - Throws: ``SandboxError`` where it is nowhere.
    public static func locateHelper(_ name: String = "grace-sandbox", installedApart: Bool = true) throws -> String {
        var candidates: [String] = []
        if let value = getenv("GRACE_LIBEXEC_DIR") { candidates.append("\(String(cString: value))/\(name)") }
        if let executable = (try? Files.readlink("/proc/self/exe"))?.string {
            let directory = String(executable[..<(executable.lastIndex(of: "/") ?? executable.startIndex)])
            candidates.append("\(directory)/\(name)")
            if installedApart {
                candidates += ["\(directory)/../libexec/grace/\(name)", "\(directory)/../lib/grace/\(name)"]
            }
        }
        for candidate in candidates where isProgram(candidate) { return candidate }
        // Under the test runner this program is swiftpm-testing-helper; the test bundle, mapped into it, lies among the products.
        for line in ((try? Files.readString("/proc/self/maps")) ?? "").split(separator: "\n")
        where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/"), start < end else { continue }
            let candidate = "\(line[start..<end])/\(name)"
            if isProgram(candidate) { return candidate }
            candidates.append(candidate)
            break
        }
        throw SandboxError.helper(
            "The program \(name) of Grace's was not found; searched \(candidates.joined(separator: ", ")). Install it beside grace, or "
                + "say where it lies with GRACE_LIBEXEC_DIR.")
    }

    private static func isProgram(_ path: String) -> Bool {
        guard access(path, X_OK) == 0, let file = try? Files.open(path, flags: Files.Flag.path) else { return false }
        return (try? Files.status(of: file))?.kind == .file
    }

    /// Starts a sandbox: everything is set up and nothing runs in it yet.
    ///
    /// A demand of the profile that this host cannot meet is refused (``SandboxError/missing(_:)``) unless the profile calls it optional;
    /// then it is in ``Sandbox/fallbacks``. Never is a sandbox weaker in silence.
    public func start(_ specification: SandboxSpecification) async throws -> Sandbox {
        if !pool.isEmpty {
            let generation = try ground.generation()
            let stale = pool.evict(generation)
            if !stale.isEmpty { Task { for sandbox in stale { _ = try? await sandbox.end() } } }
            if let ready = try await takeReady(specification, generation) { return ready }
        }
        return try await fresh(specification)
    }

    /// A sandbox that was not started ahead.
    func fresh(_ specification: SandboxSpecification) async throws -> Sandbox {
        try Self.check(specification)
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        let preparation = try Preparation(engine: self, specification: specification, number: number)
        do {
            let sandbox = try await preparation.start()
            return sandbox
        } catch {
            await preparation.discard()
            throw error
        }
    }

    private static func check(_ specification: SandboxSpecification) throws {
        let label = specification.label
        guard !label.isEmpty, label.utf8.count <= 64, label != ".", label != "..",
            label.utf8.allSatisfy({
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || [45, 46, 95].contains($0)
            })
        else {
            throw SandboxError.invalid(
                "“\(label)” is no label for a sandbox: use letters, digits, “-”, “_” and “.”, at most 64.")
        }
        let hostname = specification.hostname
        guard !hostname.isEmpty, hostname.utf8.count <= 64,
            hostname.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 47 })
        else {
            throw SandboxError.invalid(
                "“\(hostname)” is no host name: use printable ASCII without blanks, at most 64 bytes.")
        }
        for path in specification.masks + specification.profile.hide + specification.overlays.map(\.mountPoint)
        where !path.hasPrefix("/") || path.utf8.contains(0) || path.split(separator: "/").contains("..") {
            throw SandboxError.invalid(
                "“\(path)” is no absolute path without “..”; masks, hidden paths and mount points must be.")
        }
        if let first = specification.overlays.first, !specification.overlays.contains(where: { $0.mountPoint == "/" }) {
            throw SandboxError.invalid(
                "The overlays have none for “/”, only for “\(first.mountPoint)” and the like; the root needs one.")
        }
    }
}
