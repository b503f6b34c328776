public import Linux

extension ChangeSet {
    /// Files longer than this are named in accounts, not looked into.
    public static let accountLimit = 64 << 20

    /// What is to be said about one entry besides its summary line and its text's differences: what kind of file it is, and for programs,
    /// databases and package lists what differs inside. Everything that comes from files is escaped.
    ///
    /// - Parameters:
    ///   - change: An entry.
    ///   - old: The content before; `nil` where there was none or it was not kept.
    ///   - new: The content afterwards; `nil` where there is none.
    /// - Returns: Lines, escaped.
    public static func account(of change: Change, old: [UInt8]?, new: [UInt8]?) -> [String] {
        var lines: [String] = []
        if change.type != .directory, let role = role(of: change.path) { lines.append(role) }
        guard change.type == .file, change.kind != .metadata else { return lines }
        let (before, after) = (old.flatMap(ElfAccount.init), new.flatMap(ElfAccount.init))
        if before != nil || after != nil {
            let sizes = [old, new].map { $0.map { text(bytes: Int64($0.count)) } ?? "nothing" }
            lines.append("\(before?.text ?? "nothing") (\(sizes[0])) → \(after?.text ?? "nothing") (\(sizes[1]))")
        }
        let schemas = (old.flatMap(SQLiteSchema.init), new.flatMap(SQLiteSchema.init))
        if schemas.0 != nil || schemas.1 != nil {
            let found = SQLiteSchema.difference(old: schemas.0, new: schemas.1)
            lines.append("SQLite database" + (found.isEmpty ? ", schema as before" : ""))
            lines += found
        }
        if change.path == "/var/lib/dpkg/status" {
            lines += packages(old: old ?? [], new: new ?? [])
        }
        return lines
    }

    /// What a path is for, where its place says so.
    private static func role(of path: BytePath) -> String? {
        guard let name = path.string else { return nil }
        let units = [
            "/etc/systemd/system/", "/usr/lib/systemd/system/", "/usr/local/lib/systemd/system/",
            "/lib/systemd/system/",
            "/run/systemd/system/",
        ]
        // systemd.unit(5), and drop-ins.
        let kinds = [
            ".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice",
            ".scope",
            ".conf",
        ]
        if units.contains(where: name.hasPrefix), kinds.contains(where: name.hasSuffix) {
            return "systemd unit \(TextEscaping.path(path))"
        }
        return name.hasPrefix("/etc/") ? "configuration file" : nil
    }

    /// Installed packages by version, from dpkg's status (deb-control(5), dpkg(1)): those of several architectures with theirs, as dpkg
    /// names them, and with their state where they are not whole.
    private static func packages(old: [UInt8], new: [UInt8]) -> [String] {
        let keys = ["Package", "Version", "Status", "Architecture", "Multi-Arch"].map { ($0, Array("\($0): ".utf8)) }
        func versions(_ bytes: [UInt8]) -> [String: String] {
            var result: [String: String] = [:]
            var fields: [String: String] = [:]
            for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) + [[]] {
                if line.isEmpty {
                    let state = fields["Status"]?.split(separator: " ").last.map(String.init) ?? "not-installed"
                    if let name = fields["Package"], let version = fields["Version"],
                        !["not-installed", "config-files"].contains(state)
                    {
                        let architecture =
                            fields["Multi-Arch"] == "same" ? fields["Architecture"].map { ":\($0)" } : nil
                        result[name + (architecture ?? "")] = version + (state == "installed" ? "" : " (\(state))")
                    }
                    fields = [:]
                    continue
                }
                for (key, start) in keys where line.starts(with: start) {
                    fields[key] = TextEscaping.line(line.dropFirst(start.count))
                }
            }
            return result
        }
        let (before, after) = (versions(old), versions(new))
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            switch (before[name], after[name]) {
            case (nil, let version?): "package \(name) \(version) installed"
            case (let version?, nil): "package \(name) \(version) removed"
            case (let old?, let new?) where old != new: "package \(name) \(old) → \(new)"
            default: nil
            }
        }
    }
}

extension ChangeSet {
    /// The whole change set for people: a line an entry, what is to be said about it, and the differences of texts.
    ///
    /// - Parameters:
    ///   - blobs: Where the new contents lie; they are hashed again.
    ///   - old: A path's content before the change; `nil` where there was none or it is not known any more.
    ///   - write: Gets each entry's part, so that a large change set shows as it is read.
    /// - Throws: What `old` throws.
    public func show(blobs: BlobStore, old: (BytePath) throws -> [UInt8]?, write: (String) -> Void) throws {
        for change in changes {
            let one = try ChangeSet([change.alone])
            let isFile = change.type == .file && change.kind != .metadata
            let before = isFile && change.kind != .create ? try old(change.path) : nil
            let after =
                isFile
                ? change.content.flatMap { try? blobs.read($0, limit: Self.accountLimit) }.map { Array($0) } : nil
            let diff = one.unifiedDiff(blobs: blobs) { _ in before }
            let lines = diff.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            write(lines.first.map { "\($0)\n" } ?? "")
            for line in Self.account(of: change, old: before, new: after) { write("#   \(line)\n") }
            if lines.count > 1 { write(String(lines[1])) }
        }
    }

    /// The content of `path` on this host, for ``show(blobs:old:write:)``: no link is followed, and nothing but a regular file of
    /// bearable size is opened.
    public static func liveContent(_ path: BytePath, root: BytePath = "/") throws -> [UInt8]? {
        guard let node = try TreeReader(root: root).node(at: path), node.type == .file,
            node.status.size <= Int64(accountLimit)
        else { return nil }
        return try Array(Files.read(node.contents(), limit: accountLimit))
    }
}

extension Change {
    /// The same entry in a change set of its own.
    fileprivate var alone: Change {
        var change = self
        if change.hardLinkGroup != nil { change.hardLinkGroup = 0 }
        return change
    }
}
