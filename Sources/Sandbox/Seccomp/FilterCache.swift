internal import Linux
internal import Synchronization

/// Compiled filters: one policy is compiled once, however many sandboxes it filters.
final class FilterCache: Sendable {
    /// The one that engines share unless they are given another.
    static let shared = FilterCache()

    private struct Key: Hashable {
        var policy: SeccompPolicy
        var capabilities: [String]
        var reporting: Bool
        var keepsProject: Bool
    }
    private let compiled = Mutex<[Key: Descriptor]>([:])
    private let observe: @Sendable (SeccompPolicy) -> Void
    private let stored: StoredFilters?

    /// `stored` keeps programs for other processes; `observe` is called for each compilation.
    init(stored: StoredFilters? = nil, observe: @escaping @Sendable (SeccompPolicy) -> Void = { _ in }) {
        self.stored = stored
        self.observe = observe
    }

    /// The program for a policy, as a memfd that the caller may not write to.
    ///
    /// - Throws: ``SandboxError``; see ``SeccompCompiler/compile(_:reporting:keepsProject:)``.
    func program(
        for policy: SeccompPolicy, capabilities: [String], reporting: Bool, keepsProject: Bool = false
    ) throws -> Descriptor {
        // Capabilities matter to a file's rules alone.
        let held = policy.file == nil ? [] : Set(capabilities).sorted()
        let key = Key(policy: policy, capabilities: held, reporting: reporting, keepsProject: keepsProject)
        return try compiled.withLock { compiled in
            if let known = compiled[key] { return try known.duplicate() }
            let file = try make(
                StoredFilters.Source(
                    policy: policy, capabilities: held, reporting: reporting, keepsProject: keepsProject))
            compiled[key] = file
            return try file.duplicate()
        }
    }

    private func make(_ source: StoredFilters.Source) throws -> Descriptor {
        if let program = stored?.program(for: source) {
            let file = try Descriptor.memory(name: "grace-seccomp")
            try Files.write(file, program)
            return file
        }
        observe(source.policy)
        let plan = FilterPlan(source.policy, capabilities: source.capabilities)
        let file = try SeccompCompiler.compile(
            plan, reporting: source.reporting, keepsProject: source.keepsProject)
        if let stored {
            let length = Int(try Files.status(of: file).size)
            stored.store(try Files.pread(file, count: length, offset: 0), for: source)
        }
        return file
    }
}
