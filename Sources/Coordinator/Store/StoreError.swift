/// Why the store could not do something. Each is a sentence for the log.
public enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A stored document can't be read back.
    case damaged(table: String, id: String, why: String)
    /// The database could not be opened or is not one of ours.
    case unusable(path: String, why: String)

    public var description: String {
        switch self {
        case .damaged(let table, let id, let why):
            "The coordinator's store is damaged: the row \(id) of \(table) can't be read: \(why). Restore it from a backup."
        case .unusable(let path, let why):
            "The coordinator's store \(path) can't be used: \(why)."
        }
    }
}
