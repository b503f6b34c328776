internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

extension MissionParser {
    /// Bytes of a source that are carried in a mission.
    static let sourceLimit = 8 << 20

    func change(_ field: Field) -> ChangeSpecification? {
        let keys = ChangeAction.names + ["promote", "undo", "effect", "touches", "reads"]
        guard let members = Members(field, keys: keys) else { return nil }
        let name = members.exactlyOne(of: ChangeAction.names)
        let action = name.flatMap { self.action($0, members) }
        var promote = PromotionKind.files
        if let field = members["promote"], let text = field.choice(PromotionKind.allCases.map(\.rawValue)) {
            promote = PromotionKind(rawValue: text) ?? promote
        }
        let undo = members["undo"]?.command()
        let effect = members["effect"]?.command()
        switch promote {
        case .rerun:
            if let name, name != "run" {
                members["promote"]?.problem(
                    "only a change made by “run” can be run again on live; “\(name)” is promoted as files.")
            }
            if members["undo"] == nil {
                field.problem("the key “undo” is missing: a rerun needs the command that takes it back.")
            }
            if members["effect"] == nil {
                field.problem(
                    "the key “effect” is missing: a rerun needs the command that exits 0 exactly when the change is in force."
                )
            }
        case .files:
            for key in ["undo", "effect"] {
                members[key]?.problem("“\(key)” belongs to promote: rerun; files are taken back from their pre-images.")
            }
        }
        let touches = members["touches"]?.texts().compactMap { $0.absolutePath() } ?? []
        let reads = members["reads"]?.texts().compactMap { $0.absolutePath() } ?? []
        if let action, members["touches"] != nil { checkScope(action, touches, members) }
        guard let action else { return nil }
        return ChangeSpecification(
            action: action, promote: promote, undo: undo, effect: effect, touches: touches, reads: reads)
    }

    private func action(_ name: String, _ members: Members) -> ChangeAction? {
        guard let field = members[name] else { return nil }
        switch name {
        case "run": return field.command().map(ChangeAction.run)
        case "files": return files(field)
        case "patch":
            guard let patch = Members(field, keys: ["file", "content", "directory"]) else { return nil }
            let content = self.content(patch, source: "file", encodings: ["content"])
            let directory = patch.required("directory", "the absolute directory that the patch is applied in")?
                .absolutePath()
            guard let content, let directory else { return nil }
            if content.isEmpty { field.problem("the patch is empty.") }
            return .patch(PatchChange(content: content.base64EncodedString(), directory: directory))
        case "git":
            guard let git = Members(field, keys: ["repository", "baseline", "candidate", "directory"]) else {
                return nil
            }
            let repository = git.required("repository", "the repository's path").flatMap(self.repository)
            let baseline = git.required("baseline", "a revision such as origin/main").flatMap(revision)
            let candidate = git.required("candidate", "a revision such as HEAD").flatMap(revision)
            let directory = git.required("directory", "the absolute directory that is checked out into")?.absolutePath()
            guard let repository, let baseline, let candidate, let directory else { return nil }
            if baseline == candidate {
                git["candidate"]?.problem("baseline and candidate are the same revision; there is nothing to test.")
            }
            return .git(
                GitChange(repository: repository, baseline: baseline, candidate: candidate, directory: directory))
        default: return nil
        }
    }

    private func files(_ field: Field) -> ChangeAction? {
        guard let list = field.list() else { return nil }
        if list.isEmpty { field.problem("expected at least one file.") }
        var seen: Set<String> = []
        var total = 0
        let files = list.compactMap { item -> FileChange? in
            let keys = ["path", "source", "content", "content_base64", "mode", "owner"]
            guard let members = Members(item, keys: keys) else { return nil }
            let path = members.required("path", "the file's absolute path on the host")?.absolutePath()
            if let path, !seen.insert(path).inserted {
                members["path"]?.problem("\(path) is there already; each path is written once.")
            }
            if path == "/" { members["path"]?.problem("expected a file, found the root.") }
            let content = self.content(members, source: "source", encodings: ["content", "content_base64"])
            let mode = members["mode"].flatMap(self.mode)
            let owner = members["owner"].flatMap(self.owner)
            guard let path, let content else { return nil }
            total += content.count
            return FileChange(path: path, content: content.base64EncodedString(), mode: mode, owner: owner)
        }
        if total > 4 * Self.sourceLimit {
            field.problem(
                "the files have \(total) bytes together; at most \(4 * Self.sourceLimit) are carried in a mission.")
        }
        return files.count == list.count ? .files(files) : nil
    }

    /// What a file is to hold: read from beside the mission file, or written in it.
    private func content(_ members: Members, source: String, encodings: [String]) -> Data? {
        guard let key = members.exactlyOne(of: [source] + encodings), let field = members[key] else { return nil }
        let data: Data
        switch key {
        case "content":
            guard let text = field.string() else { return nil }
            data = Data(text.utf8)
        case "content_base64":
            guard let text = field.string() else { return nil }
            guard let decoded = Data(base64Encoded: text) else {
                field.problem("expected base64 with padding (RFC 4648, section 4).")
                return nil
            }
            data = decoded
        default:
            guard let read = self.source(field, instead: encodings) else { return nil }
            data = read
        }
        guard data.count <= Self.sourceLimit else {
            field.problem("the content has \(data.count) bytes; at most 8 MiB are carried in a mission.")
            return nil
        }
        return data
    }

    private func source(_ field: Field, instead: [String]) -> Data? {
        guard let path = field.relativePath(to: "the mission file") else { return nil }
        guard let directory else {
            field.problem(
                "a mission that is sent carries its contents: write “\(instead.joined(separator: "” or “"))” instead of a file's name."
            )
            return nil
        }
        do {
            // Not blocking, so that a pipe is refused instead of waited for.
            let file = try Files.open("\(directory)/\(path)", flags: O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            let status = try Files.status(of: file)
            guard status.kind == .file else {
                field.problem("\(path) is no regular file.")
                return nil
            }
            guard status.size <= Int64(Self.sourceLimit) else {
                field.problem("\(path) has \(status.size) bytes; at most 8 MiB are carried in a mission.")
                return nil
            }
            return try Files.read(file, limit: Self.sourceLimit, subject: path)
        } catch {
            field.problem("\(path) can't be read beside the mission file: \(error)")
            return nil
        }
    }

    private func mode(_ field: Field) -> String? {
        guard let text = field.string() else { return nil }
        guard (3...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...55).contains($0) }),
            let bits = Int(text, radix: 8), bits <= 0o7777
        else {
            field.problem("expected permission bits in octal such as \"0644\", found “\(text.prefix(20))”.")
            return nil
        }
        let digits = String(bits, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private func owner(_ field: Field) -> String? {
        guard let text = field.line(most: 100) else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let fine = parts.allSatisfy { part in
            !part.isEmpty && !part.hasPrefix("-")
                && part.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                        || "_.-$".utf8.contains($0)
                }
        }
        guard parts.count == 2, fine else {
            field.problem("expected user:group by names or numbers such as root:www-data, found “\(text)”.")
            return nil
        }
        return text
    }

    private func repository(_ field: Field) -> String? {
        if field.string()?.hasPrefix("/") ?? false { return field.absolutePath() }
        guard let path = field.relativePath(to: "the mission file", here: true) else { return nil }
        guard let directory else {
            field.problem("a mission that is sent names its repository by an absolute path on the host.")
            return nil
        }
        let base = directory.hasPrefix("/") ? directory : workingDirectory() + "/" + directory
        let joined = path == "." ? base : base + "/" + path
        // By the text alone: links stay, and `..` of the given directory goes where the caller's shell sent it.
        var names: [Substring] = []
        for name in joined.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return "/" + names.joined(separator: "/")
    }

    private func workingDirectory() -> String {
        guard let pointer = getcwd(nil, 0) else { return "" }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    private func revision(_ field: Field) -> String? {
        guard let text = field.line(most: 250) else { return nil }
        // A name that begins with “-” would be an option to git.
        let forbidden = Set(" ~:?*[\\".utf8).subtracting(["~".utf8.first ?? 0])
        guard !text.hasPrefix("-"), !text.utf8.contains(where: forbidden.contains), !text.contains("..") else {
            field.problem("expected one revision such as HEAD, v1.2 or origin/main, found “\(text.prefix(100))”.")
            return nil
        }
        return text
    }

    /// Where the file says itself what is touched, the declared scope must hold it.
    private func checkScope(_ action: ChangeAction, _ touches: [String], _ members: Members) {
        let scope = touches.map { BytePath($0) }
        func check(_ path: String, _ field: Field?) {
            if !scope.contains(where: { BytePath(path).isInside($0) }) {
                field?.problem("\(path) lies outside of change.touches (\(touches.joined(separator: ", "))).")
            }
        }
        switch action {
        case .run: break
        case .files(let files):
            let items = members["files"]?.list() ?? []
            for (file, item) in zip(files, items) { check(file.path, item) }
        case .patch(let patch): check(patch.directory, members["patch"])
        case .git(let git): check(git.directory, members["git"])
        }
    }
}
