public import Linux

/// What a change did to one path, in the words that users of `try` know.
public struct Effect: Sendable, Equatable {
    public enum Word: String, Sendable {
        case symlink, added, deleted, modified
        case createdDirectory = "created dir"
        case replacedByDirectory = "replaced with dir"
    }

    public var path: BytePath
    public var word: Word

    /// “/etc/x (modified)”. Control characters and what hides or reorders text are escaped.
    public var line: String { "\(TextEscaping.path(path)) (\(word.rawValue))" }
}

extension ChangeSet {
    /// One effect an entry, in its order.
    public var effects: [Effect] {
        changes.map { change in
            let word: Effect.Word =
                switch (change.kind, change.type) {
                case (.delete, _): .deleted
                case (_, .symlink): .symlink
                case (.create, .directory): .createdDirectory
                case (.replace, .directory): .replacedByDirectory
                case (.create, _): .added
                case (.modify, _), (.replace, _), (.metadata, _): .modified
                }
            return Effect(path: change.path, word: word)
        }
    }

    /// The entries for which `isWanted`, with the new directories that they lie in, and hard-link groups numbered anew.
    ///
    /// - Parameter isWanted: Asked once for every path.
    /// - Returns: The part; the whole where everything is wanted.
    /// - Throws: ``ForkError`` where the part contradicts itself.
    public func part(where isWanted: (BytePath) -> Bool) throws -> ChangeSet {
        var kept = Set(changes.map(\.path).filter(isWanted))
        if kept.count == changes.count { return self }
        for path in kept {
            var parent = path.parent
            while parent.bytes.count > 1, !kept.contains(parent) {
                if let change = self[parent], change.kind == .create || change.kind == .replace { kept.insert(parent) }
                parent = parent.parent
            }
        }
        var numbers: [Int: Int] = [:]
        return try ChangeSet(
            changes.filter { kept.contains($0.path) }.map { change in
                var change = change
                if let group = change.hardLinkGroup {
                    let number = numbers[group] ?? numbers.count
                    numbers[group] = number
                    change.hardLinkGroup = number
                }
                return change
            })
    }
}
