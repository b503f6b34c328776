internal import Fork
internal import Linux

/// Which paths a change set reaches, those lost with a directory included.
///
/// A deleted or replaced directory is one entry of a change set. What lay in it is known from the base where there is one;
/// otherwise everything below must be reckoned with.
struct ChangedPaths {
    private let changes: [Change]
    private let base: Base?

    init(_ changes: [Change], base: Base?) {
        self.changes = changes
        self.base = base
    }

    /// Directories that are gone with all that was in them.
    private func isLost(_ change: Change) -> Bool {
        switch change.kind {
        case .delete: change.type == .directory
        // What a replaced entry was stands only in the base; without one the worst is assumed.
        case .replace:
            if let base, case .present(let state)? = base[change.path] { state.type == .directory } else { true }
        case .create, .modify, .metadata: false
        }
    }

    /// The first path reached that one of `globs` means, as people read it.
    func first(in globs: [Glob]) -> String? {
        for change in changes {
            for glob in globs {
                if glob.matches(change.path) { return change.path.display }
                guard isLost(change) else { continue }
                if let base {
                    let below = base.entries.first {
                        $0.path != change.path && $0.path.isInside(change.path) && glob.matches($0.path)
                    }
                    if let below { return below.path.display }
                    // An entry whose content the base lists can still hold deeper ones it doesn't: the listing counts.
                    if !base.entries.contains(where: { $0.path != change.path && $0.path.isInside(change.path) }),
                        glob.mayMatch(below: change.path), holdsSomething(change)
                    {
                        return "\(change.path.display), with what lay in it"
                    }
                } else if glob.mayMatch(below: change.path) {
                    return "\(change.path.display), with what lay in it"
                }
            }
        }
        return nil
    }

    /// Whether a lost directory may have held anything: only an empty listing says that it did not.
    private func holdsSomething(_ change: Change) -> Bool {
        guard let base, case .present(let state)? = base[change.path] else { return true }
        return state.listing.map { !$0.isEmpty } ?? true
    }

    /// The changed paths that none of `globs` means.
    func outside(_ globs: [Glob]) -> [String] {
        changes.filter { change in !globs.contains { $0.matches(change.path) } }.map { $0.path.display }
    }
}
