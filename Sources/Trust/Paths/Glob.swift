public import Linux

/// A pattern over absolute paths, compared byte by byte.
///
/// `*` stands for any bytes within one name, `?` for one byte, and `**` as a whole name for any number of names, none
/// included: `/etc/nginx/**` matches `/etc/nginx` itself and everything below it.
public struct Glob: Sendable, Hashable, CustomStringConvertible {
    /// The pattern as it was written.
    public let text: String
    private let names: [[UInt8]]

    private static let anyNames = Array("**".utf8)

    /// Takes a pattern; `nil` unless it begins with `/` (or with `**`), has no `..` and no NUL.
    public init?(_ text: String) {
        let pattern = text.hasPrefix("**") ? "/" + text : text
        guard pattern.hasPrefix("/"), !pattern.utf8.contains(0) else { return nil }
        let names = pattern.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
        guard !names.contains(Array("..".utf8)), !names.contains(Array(".".utf8)) else { return nil }
        self.text = text
        self.names = names
    }

    public var description: String { text }

    /// Whether `path` is one of those meant.
    public func matches(_ path: BytePath) -> Bool {
        Self.match(names[...], path.components[...], whole: true)
    }

    /// Whether a path below `directory` could be one of those meant: what is lost with the directory may be it.
    public func mayMatch(below directory: BytePath) -> Bool {
        Self.match(names[...], directory.components[...], whole: false)
    }

    /// `whole`: the pattern must be used up with the path; otherwise it is enough that the path is used up first.
    private static func match(_ names: ArraySlice<[UInt8]>, _ path: ArraySlice<[UInt8]>, whole: Bool) -> Bool {
        guard let name = names.first else { return path.isEmpty && whole }
        if name == anyNames {
            let rest = names.dropFirst()
            if rest.isEmpty { return true }
            if rest.first == anyNames { return match(rest, path, whole: whole) }
            return (path.startIndex...path.endIndex).contains { match(rest, path[$0...], whole: whole) }
        }
        guard let first = path.first else { return !whole }
        return matches(name, first) && match(names.dropFirst(), path.dropFirst(), whole: whole)
    }

    /// One name against one name, without recursion: the last `*` is the only place worth going back to.
    private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var position = 0
        var at = 0
        var star: (pattern: Int, name: Int)?
        while at < name.count {
            if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
                star = (position, at)
                position += 1
            } else if position < pattern.count, pattern[position] == name[at] || pattern[position] == UInt8(ascii: "?")
            {
                position += 1
                at += 1
            } else if let back = star {
                star = (back.pattern, back.name + 1)
                position = back.pattern + 1
                at = back.name + 1
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
