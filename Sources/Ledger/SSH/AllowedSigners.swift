internal import Documents
public import FoundationEssentials

/// Who may sign with which key: OpenSSH's `allowed_signers` file (ssh-keygen(1), ALLOWED SIGNERS).
///
/// A key that is no longer listed is revoked. Certificate authorities are refused: every person's key stands in the file.
/// Key types that Grace does not verify (RSA) are kept out with a note, since OpenSSH users may share the file with git.
public struct AllowedSigners: Sendable, Hashable {
    /// One line: whose key, for what, and when.
    public struct Entry: Sendable, Hashable {
        /// The line in the file, from 1.
        public let line: Int
        /// The comma-separated principals (a pattern list) as written.
        public let principals: String
        /// The key.
        public let key: SSHPublicKey
        /// The pattern list of namespaces it may sign in; nil is every one.
        public let namespaces: String?
        /// From when on it is valid, inclusive; nil has no beginning.
        public let validAfter: Date?
        /// Until when it is valid, inclusive; nil has no end.
        public let validBefore: Date?

        /// Whether the key may sign in that namespace at that time.
        public func isValid(namespace: String, at time: Date) -> Bool {
            if let namespaces, !PatternList(text: namespaces).matches(namespace) { return false }
            if let validAfter, time < validAfter { return false }
            if let validBefore, time > validBefore { return false }
            return true
        }
    }

    /// The usable lines in order.
    public let entries: [Entry]
    /// Sentences on lines that are legal but name nobody or nothing Grace can check.
    public let notes: [String]

    /// Parses the file's text; throws ``Documents/Problems`` with every bad line.
    public init(parsing text: String, file: String) throws {
        var entries: [Entry] = []
        var notes: [String] = []
        var problems: [Problem] = []
        let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { String(Substring($0)) }
        for (index, raw) in lines.enumerated() {
            let line = raw.trimmed
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            do {
                let parsed = try AllowedSignerLine(line)
                guard let key = parsed.key else {
                    notes.append(
                        "\(file):\(index + 1): keys of type \(parsed.keyType) are not verified here, so this one approves nothing."
                    )
                    continue
                }
                let entry = Entry(
                    line: index + 1, principals: parsed.principals, key: key, namespaces: parsed.namespaces,
                    validAfter: parsed.validAfter, validBefore: parsed.validBefore)
                if PatternList(text: entry.principals).names.isEmpty {
                    notes.append(
                        "\(file):\(index + 1): \"\(entry.principals)\" names no one person, so this key approves nothing."
                    )
                }
                entries.append(entry)
            } catch {
                problems.append(Problem(file: file, line: index + 1, path: "", message: "\(error)"))
            }
        }
        guard problems.isEmpty else { throw Problems(problems) }
        self.entries = entries
        self.notes = notes
    }

    /// The people, by name, whose key this is in that namespace at that time; sorted, wildcards left out.
    public func principals(for key: SSHPublicKey, namespace: String, at time: Date) -> [String] {
        let names = entries.filter { $0.key == key && $0.isValid(namespace: namespace, at: time) }
            .flatMap { PatternList(text: $0.principals).names }
        return Set(names).sorted()
    }

    /// What `ssh-keygen -Y verify -I principal` would say about the key, wildcards included.
    public func allows(principal: String, key: SSHPublicKey, namespace: String, at time: Date) -> Bool {
        entries.contains {
            $0.key == key && $0.isValid(namespace: namespace, at: time)
                && PatternList(text: $0.principals).matches(principal)
        }
    }

    /// One name for everything that may be one person: principals that share a key in that namespace, now or at another
    /// time, count as one. Two names on one key must not make two approvals.
    public func person(of principal: String, namespace: String) -> String {
        var known: Set<String> = [principal]
        var keys: Set<SSHPublicKey> = []
        let usable = entries.filter { entry in entry.namespaces.map { PatternList(text: $0).matches(namespace) } ?? true
        }
        var grew = true
        while grew {
            grew = false
            for entry in usable {
                let names = PatternList(text: entry.principals).names
                guard keys.contains(entry.key) || names.contains(where: known.contains) else { continue }
                if keys.insert(entry.key).inserted { grew = true }
                for name in names where known.insert(name).inserted { grew = true }
            }
        }
        return known.min() ?? principal
    }
}

/// Why a line of allowed_signers is refused, as a sentence.
struct AllowedSignerProblem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
