/// Something that a process of Grace's left behind when it was killed.
public struct Leftover: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// A control group, with every process that may still be in it.
        case cgroup
        /// A version 1 freezer with whatever is frozen in it.
        case freezer
        /// A mount below one of Grace's directories.
        case mount
        /// A directory or file for the time of one sandbox.
        case scratch
        /// Something in the host's network: an interface, rules.
        case network
    }

    public var kind: Kind
    /// Where: a path, or a name that its kind gives a meaning.
    public var place: String
    /// Whose it was and what it is: a sentence.
    public var detail: String

    public init(kind: Kind, place: String, detail: String) {
        self.kind = kind
        self.place = place
        self.detail = detail
    }
}

/// Finds and removes one kind of leftover: for `grace doctor --clean`.
///
/// Everything that Grace makes for a time carries the number and start time of the process that made it in its name. A source
/// may only find what is of a process that is no more: nothing of a living agent is ever touched.
public protocol LeftoverSource: Sendable {
    /// What is left now. Removes nothing.
    func find() -> [Leftover]
    /// Removes what ``find()`` found. What is gone meanwhile is no error.
    func remove(_ leftover: Leftover) throws
}

/// Several sources as one, in the order in which they must be removed: processes first, then what they use.
public struct Leftovers: Sendable {
    private let sources: [any LeftoverSource]

    public init(_ sources: [any LeftoverSource]) {
        self.sources = sources
    }

    public func find() -> [Leftover] { sources.flatMap { $0.find() } }

    /// Removes everything that is left now.
    ///
    /// - Returns: Each leftover, with what went wrong where it could not be removed.
    public func clean() -> [(leftover: Leftover, problem: String?)] {
        var result: [(Leftover, String?)] = []
        for source in sources {
            for leftover in source.find() {
                do {
                    try source.remove(leftover)
                    result.append((leftover, nil))
                } catch {
                    result.append((leftover, "\(error)"))
                }
            }
        }
        return result
    }
}
