internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Missions

/// One scan: the findings so far and what they are found with.
struct HunterScan {
    /// What was at a path before.
    enum Before {
        case absent
        case present(FileState)
        /// Live moved under the fork, or nobody noted it: then everything counts as new.
        case unknown

        var state: FileState? { if case .present(let state) = self { state } else { nil } }
    }

    let blobs: BlobStore
    let base: Base
    let context: HunterContext
    private(set) var findings: [Finding] = []
    private var counts: [String: Int] = [:]

    init(blobs: BlobStore, base: Base, context: HunterContext) {
        self.blobs = blobs
        self.base = base
        self.context = context
    }

    /// Adds a finding. Its id is made of the rule, the path and `key`; findings of the same are numbered in their order.
    mutating func add(_ rule: HunterRule, at path: BytePath?, _ message: String, key: String = "") {
        let bytes = path?.bytes ?? []
        let place = "\(rule.rawValue)\u{0}\(Data(bytes).hexadecimal)\u{0}\(key)"
        let number = counts[place, default: 0]
        counts[place] = number + 1
        let id = "\(rule.rawValue)-\(Digest(of: Data("\(place)\u{0}\(number)".utf8)).hex.prefix(16))"
        findings.append(
            Finding(id: id, rule: rule.rawValue, severity: rule.severity, path: path?.display ?? "", message: message))
    }

    func before(_ path: BytePath) -> Before {
        switch base[path] {
        case .absent: .absent
        case .present(let state): .present(state)
        case .movedUnderFork, nil: .unknown
        }
    }

    mutating func look(at change: Change) {
        let before = before(change.path)
        if change.kind != .delete {
            modes(change, before)
            if change.type == .symlink, let target = change.linkTarget { link(change, target, before) }
        }
        let texts = change.type == .file && change.content != nil ? texts(change, before) : nil
        places(change, texts)
        if let texts { secrets(change, texts) }
    }

    /// A file's lines now and before; `nil` when it is not text or can't be read.
    struct Texts {
        var now: [ArraySlice<UInt8>]
        var before: [ArraySlice<UInt8>]

        /// The lines that were not there before.
        var new: [ArraySlice<UInt8>] {
            let old = Set(before)
            return now.filter { !old.contains($0) }
        }
    }

    private mutating func texts(_ change: Change, _ before: Before) -> Texts? {
        guard let digest = change.content else { return nil }
        let size = change.size ?? 0
        let content: Data
        do {
            if size <= Int64(context.textLimit) {
                content = try blobs.read(digest, limit: context.textLimit)
            } else {
                content = try Files.pread(blobs.open(digest), count: context.textLimit, offset: 0)
            }
        } catch {
            add(.unscanned, at: change.path, "\(change.path.display) could not be scanned: \(error)")
            return nil
        }
        guard Self.isText(content) else { return nil }
        if size > Int64(context.textLimit) {
            add(
                .partlyScanned, at: change.path,
                "Only the first \(context.textLimit) of \(size) bytes of \(change.path.display) were scanned.")
        }
        return Texts(now: Self.lines(content), before: Self.lines(old(change, before)))
    }

    /// The pre-image's content, if it is surely the one that the base names.
    private func old(_ change: Change, _ before: Before) -> Data {
        guard let state = before.state, state.type == .file, let expected = state.content else { return Data() }
        guard let content = (try? context.baseContent(change.path, context.textLimit)) ?? nil else { return Data() }
        if let size = state.size, size <= Int64(context.textLimit), Digest(of: content) != expected { return Data() }
        return Self.isText(content) ? content : Data()
    }

    /// Text has no NUL in its first 8 KiB, as Git and grep reckon.
    private static func isText(_ content: Data) -> Bool { !content.prefix(8192).contains(0) }

    private static func lines(_ content: Data) -> [ArraySlice<UInt8>] {
        Array(content).split(whereSeparator: { $0 == 10 || $0 == 13 })
    }
}
