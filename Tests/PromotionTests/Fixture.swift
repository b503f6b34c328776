import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

let isRoot: Bool = geteuid() == 0

/// A root directory, a state directory and a blob store of a test's own, gone when it ends.
final class Fixture: Sendable {
    let directory: String
    var root: String { directory + "/root" }
    var state: String { directory + "/state" }
    let blobs: BlobStore
    private let isMounted: Bool
    private let isOwner: Bool
    let records = Mutex<[String]>([])

    /// In memory it lies on a tmpfs of its own, where fsync costs nothing; on disk where a tmpfs keeps no attributes of users'
    /// (before Linux 6.6).
    init(inMemory: Bool = false) throws {
        directory = "/var/tmp/grace-promotion-\(UUID().uuidString)"
        blobs = BlobStore(root: directory + "/blobs")
        isOwner = true
        try Files.makeDirectory(directory, mode: 0o755)
        var mounted = inMemory && mount("tmpfs", directory, "tmpfs", 0, "mode=755") == 0
        if mounted, (try? Files.setXattr(directory, name: "user.grace-test", value: Data("1".utf8))) == nil {
            umount2(directory, 2)
            mounted = false
        }
        isMounted = mounted
        try reset()
    }

    /// In a directory that somebody else made and will remove, with what is there already.
    init(on directory: String) throws {
        self.directory = directory
        blobs = BlobStore(root: directory + "/blobs")
        isOwner = false
        isMounted = false
    }

    deinit {
        guard isOwner else { return }
        if isMounted { umount2(directory, 2) }
        try? Files.removeTree(directory)
    }

    /// An empty root and no promotions; blobs stay.
    func reset() throws {
        try Files.removeTree(root)
        try Files.removeTree(state)
        try Files.makeDirectory(root, mode: 0o755)
    }

    func promoter(_ edge: any FileEdge = KernelEdge()) -> Promoter {
        Promoter(
            root: root, state: state, blobs: blobs, record: { [self] kind, _ in records.withLock { $0.append(kind) } },
            edge: edge)
    }

    // MARK: making the tree

    func path(_ path: String) -> String { root + path }

    func file(_ path: String, _ text: String, mode: UInt32 = 0o644) throws {
        let data = Data(text.utf8)
        let file = try Files.open(self.path(path), flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try Files.write(file, data)
        try Files.chmod(self.path(path), mode)
    }

    func directory(_ path: String, mode: UInt32 = 0o755) throws { try Files.makeDirectory(self.path(path), mode: mode) }

    func text(_ path: String) throws -> String { try Files.readString(self.path(path)) }

    func put(_ text: String) throws -> (Digest, Int64) {
        let data = Data(text.utf8)
        return (try blobs.put(data), Int64(data.count))
    }

    /// A change that brings a file with this text.
    func change(
        _ path: String, _ kind: Change.Kind, _ text: String, mode: UInt32 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0,
        xattrs: [String: Data] = [:], group: Int? = nil, modified: Int64? = nil
    ) throws -> Change {
        let (digest, size) = try put(text)
        return Change(
            path: BytePath(path), kind: kind, type: .file, mode: mode, uid: uid, gid: gid, xattrs: xattrs, size: size,
            content: digest, hardLinkGroup: group, modified: modified)
    }

    /// Gives every file and directory a time in 2001 of its own, so that a time moved by mistake is seen.
    func age() throws {
        var second: Int64 = 1_000_000_000
        func walk(_ path: BytePath) throws {
            guard let status = try Files.status(path) else { return }
            if status.isDirectory {
                for name in try Files.entries(path).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                    try walk(path.appending(name))
                }
            }
            second += 7
            try Files.setTimes(
                path, accessed: nil, modified: FileTime(seconds: second, nanoseconds: UInt32(second % 999) * 1001))
        }
        try walk(BytePath(root))
    }

    /// The base of a change set as a fork on this root would record it.
    func base(_ changes: ChangeSet, reads: [String] = []) throws -> Base {
        var entries: [BytePath: BaseEntry.State] = [:]
        func add(_ path: BytePath, deep: Bool) throws {
            guard var state = try Base.capture(paths: [path], root: root).entries.first?.state else { return }
            if deep, case .present(var file) = state, file.type == .directory {
                let names = try Files.entries(BytePath(bytes: Array(root.utf8) + path.bytes)).sorted {
                    $0.lexicographicallyPrecedes($1)
                }
                file.listing = names.map { Data($0) }
                state = .present(file)
                for name in names { try add(path.appending(name), deep: true) }
            }
            entries[path] = state
        }
        for change in changes.changes { try add(change.path, deep: change.kind == .delete || change.kind == .replace) }
        for path in reads { try add(BytePath(path), deep: true) }
        return try Base(entries.map { BaseEntry(path: $0.key, state: $0.value) })
    }

    // MARK: looking

    /// Everything about every entry below the root, by path; hidden directories of promotions apart.
    func picture() throws -> (tree: [String: String], hidden: [String]) {
        var tree: [String: String] = [:]
        var hidden: [String] = []
        var names: [FileIdentity: String] = [:]
        func walk(_ path: BytePath, _ shown: String) throws {
            guard let status = try Files.status(path) else { return }
            var line = "\(status.kind) \(String(status.mode, radix: 8)) \(status.uid):\(status.gid)"
            // Later than 2020: written by the test itself, at a time that is nobody's business.
            line +=
                status.modified.seconds < 1_577_836_800
                ? " @\(status.modified.seconds).\(status.modified.nanoseconds)" : " @new"
            for (name, value) in try Files.xattrs(path).sorted(by: { $0.key < $1.key }) {
                line += " \(name)=\(value.base64EncodedString())"
            }
            if status.isFile { line += " \(Digest(of: try Files.read(path)).short) \(status.size)" }
            if status.isSymlink { line += " -> \(try Files.readlink(path))" }
            if !status.isDirectory && status.links > 1 {
                line += " = \(names[status.identity, default: shown])"
                names[status.identity] = names[status.identity, default: shown]
            }
            tree[shown] = line
            guard status.isDirectory else { return }
            for name in try Files.entries(path).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                let below = path.appending(name)
                if name.starts(with: ".grace-".utf8) {
                    hidden.append(below.display)
                } else {
                    try walk(below, shown + "/" + BytePath.display(name))
                }
            }
        }
        try walk(BytePath(root), "")
        return (tree, hidden)
    }
}

/// Throws at the n-th call: once, or from there on for ever.
final class FaultEdge: FileEdge {
    enum Fault: Sendable {
        /// The process is gone: nothing it would do has any effect.
        case kill
        /// One call that changes files fails.
        case once(Int32)
        /// Every such call fails from there on, as on a file system that became read-only.
        case always(Int32)
    }
    struct Killed: Error {}

    let fault: Fault
    let number: Int
    private let state = Mutex<(count: Int, seen: [FileCall])>((0, []))

    init(_ fault: Fault, at number: Int) {
        self.fault = fault
        self.number = number
    }

    /// Whether the fault was reached.
    var hasStruck: Bool { state.withLock { $0.count } >= number }
    var calls: Int { state.withLock { $0.count } }
    var last: String { state.withLock { $0.seen.last.map(\.rawValue) ?? "-" } }

    func will(_ call: FileCall, _ subject: String) throws {
        // A kill before a call that changes nothing is the same as one before the next call that does.
        let counts: Bool
        if case .kill = fault {
            counts = call.changesFiles || call == .run || call == .record
            if !counts && hasStruck { throw Killed() }
        } else {
            counts = call.changesFiles
        }
        guard counts else { return }
        let count = state.withLock { state in
            state.count += 1
            if state.count == number { state.seen.append(call) }
            return state.count
        }
        guard count >= number else { return }
        switch fault {
        case .kill: throw Killed()
        case .once(let code):
            if count == number { throw SystemError(call: call.rawValue, subject: subject, code: code) }
        case .always(let code): throw SystemError(call: call.rawValue, subject: subject, code: code)
        }
    }
}

/// SplitMix64, so that a printed seed gives the same run again.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

let ownProcess: Int32 = getpid()
