/// What stands between the promoter and the kernel: asked before every call that reads or changes files.
///
/// The real one lets everything pass. A test's throws at the n-th call, once (a full disk) or for ever from there on (a kill:
/// no code that would clean up has any effect either).
public protocol FileEdge: Sendable {
    /// Called before a call is made; throwing makes that call fail with the error thrown, and nothing happens.
    ///
    /// - Parameters:
    ///   - call: What is about to be called.
    ///   - subject: On what, shown to people.
    /// - Throws: What the call shall fail with.
    func will(_ call: FileCall, _ subject: String) throws
}

/// Every kind of call that the promoter makes.
public enum FileCall: String, Sendable, CaseIterable {
    case open, create, read, write, truncate, fsync, syncfs, status, list, inspect, lease, lock
    case mkdir, mknod, symlink, link, exchange, rename, unlink, removeTree
    case chown, chmod, xattr, times
    /// The agent's journal is written.
    case record
    /// A command is started.
    case run

    /// Whether the call may fail for want of room or because the file system became read-only.
    public var changesFiles: Bool {
        switch self {
        case .open, .read, .status, .list, .inspect, .lease, .lock, .run, .record: false
        default: true
        }
    }
}

/// The edge that lets every call reach the kernel.
public struct KernelEdge: FileEdge {
    /// The only one there is.
    public init() {}
    /// Does nothing.
    public func will(_ call: FileCall, _ subject: String) throws {}
}
