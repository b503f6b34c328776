internal import Documents
internal import Linux
internal import Synchronization

/// Compiled filters: one policy is compiled once, however many sandboxes it filters.
final class FilterCache: Sendable {
    /// The one that engines share unless they are given another.
    static let shared = FilterCache()

    private struct Key: Hashable {
        var policy: Digest
        var capabilities: [String]
        var reporting: Bool
    }
    private let compiled = Mutex<[Key: Descriptor]>([:])
    private let observe: @Sendable (SeccompPolicy) -> Void

    /// `observe` is called for each compilation.
    init(observe: @escaping @Sendable (SeccompPolicy) -> Void = { _ in }) {
        self.observe = observe
    }

    /// The program for a policy, as a memfd that the caller may not write to.
    ///
    /// - Throws: ``SandboxError``; see ``SeccompCompiler/compile(_:reporting:)``.
    func program(for policy: SeccompPolicy, capabilities: [String], reporting: Bool) throws -> Descriptor {
        // Capabilities matter to a file's rules alone.
        let held = policy.file == nil ? [] : Set(capabilities).sorted()
        let key = Key(policy: policy.digest, capabilities: held, reporting: reporting)
        return try compiled.withLock { compiled in
            if let known = compiled[key] { return try known.duplicate() }
            observe(policy)
            let file = try SeccompCompiler.compile(FilterPlan(policy, capabilities: held), reporting: reporting)
            compiled[key] = file
            return try file.duplicate()
        }
    }
}
