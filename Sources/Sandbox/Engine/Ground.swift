internal import CSandbox
internal import Linux
internal import Synchronization

/// What an engine knows of its host and needn't find out again for every sandbox. The kernel says when mounts have changed, files
/// are known by their inode, size and times, and what nobody tells is looked at again after a while.
final class Ground: Sendable {
    private struct State {
        /// An open /proc/self/mountinfo, for asking whether it still holds.
        var table: Descriptor?
        var mounts: [MountInfo.Mount] = []
        /// By the paths to hide, each with when it was looked at.
        var views: [[String]: (view: HostView, at: ContinuousClock.Instant)] = [:]
        /// Goes up whenever the mounts have changed.
        var generation: UInt64 = 0
    }
    /// Locked apart from the mounts: a directory service may take its time.
    private struct IDs {
        var stamps: [Stamp?] = []
        var taken: String?
        var asked: ContinuousClock.Instant?
    }
    private struct Stamp: Equatable {
        var identity: FileIdentity
        var size: Int64
        var modified: FileTime
        var changed: FileTime
    }
    private let state = Mutex(State())
    private let ids = Mutex(IDs())
    /// Found ahead, for the first view.
    private enum Secrets {
        case notLooked
        case found([HiddenPath])
        case used
    }
    private let secrets = Mutex(Secrets.notLooked)

    /// Looks for the host's secrets ahead of the first view, which waits for it and takes them; does nothing after that.
    func lookForSecrets() {
        secrets.withLock { secrets in
            if case .notLooked = secrets { secrets = .found(HostSecrets.found()) }
        }
    }

    /// What ``lookForSecrets()`` found, once; `nil`: they have to be looked for. `keeping`: they are looked for now, if they were not,
    /// and kept for who comes next.
    func secretsFoundAhead(keeping: Bool = false) -> [HiddenPath]? {
        if keeping { lookForSecrets() }
        return secrets.withLock { secrets in
            defer { if !keeping { secrets = .used } }
            if case .found(let found) = secrets { return found }
            return nil
        }
    }

    /// No mount tells that somebody has a new key: after so long the host's secrets are looked for again.
    private static let freshness = Duration.seconds(10)

    /// The host's view with these paths hidden besides; its secrets as they were ten seconds ago at most.
    func view(hiding paths: [String]) throws -> HostView {
        try state.withLock { state in
            try refresh(&state)
            if let (view, at) = state.views[paths], at.duration(to: .now) < Self.freshness { return view }
            let now = ContinuousClock.now
            let view = HostView.current(mounts: state.mounts, mask: paths, secrets: secretsFoundAhead())
            if state.views.count > 64 { state.views = [:] }
            state.views[paths] = (view, now)
            return view
        }
    }

    /// A number that differs once a mount has come, gone or changed.
    func generation() throws -> UInt64 {
        try state.withLock { state in
            try refresh(&state)
            return state.generation
        }
    }

    /// The mounts are read again for the next view.
    func forget() { state.withLock { $0.table = nil } }

    private func refresh(_ state: inout State) throws {
        // Asked before reading: a change meanwhile is seen the next time.
        if let table = state.table, table.withRaw({ csandbox_mounts_changed($0) }) == 0 { return }
        if state.table == nil { state.table = try Files.open("/proc/self/mountinfo", flags: 0) }
        state.mounts = try MountInfo.read()
        state.views = [:]
        state.generation += 1
    }

    /// A sentence naming who has ids from `first` on; `nil`: nobody. Users of a directory service are asked for once a minute.
    func taken(from first: UInt32) throws -> String? {
        try ids.withLock { ids in
            let stamps = try ["passwd", "group", "subuid", "subgid"].map { name in
                try Files.status("/etc/\(name)").map {
                    Stamp(identity: $0.identity, size: $0.size, modified: $0.modified, changed: $0.changed)
                }
            }
            if let asked = ids.asked, stamps == ids.stamps, asked.duration(to: .now) < .seconds(60) {
                return ids.taken
            }
            ids.taken = try IDRange.taken(from: first)
            ids.stamps = stamps
            ids.asked = .now
            return ids.taken
        }
    }
}
