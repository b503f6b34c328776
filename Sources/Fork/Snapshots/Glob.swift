internal import FoundationEssentials
internal import Glibc
internal import Linux

/// A pattern of absolute paths: `*`, `?` and `[…]` within a name (fnmatch(3), where a leading dot is like any other
/// character), `**` alone for any number of directories.
struct Glob {
    let pattern: String
    private let components: [String]

    init(_ pattern: String) throws {
        guard pattern.hasPrefix("/"), !pattern.utf8.contains(0),
            pattern.split(separator: "/").allSatisfy({ $0 != "." && $0 != ".." })
        else {
            throw ForkError.snapshot(
                "The pattern “\(TextEscaping.path(BytePath(pattern)))” cannot be used: write an absolute path without “.” and “..”, "
                    + "such as /srv/app/app.db*.")
        }
        self.pattern = pattern
        components = pattern.split(separator: "/").map(String.init)
    }

    /// What matches now, sorted, each as its real path: links above it, and a link it is itself, are followed. A link at the
    /// end is given beside its target where `withLinks` is on.
    func matches(withLinks: Bool = true) throws -> [BytePath] {
        var found: Set<BytePath> = []
        try expand(BytePath("/"), components[...], into: &found, depth: 0)
        var result: Set<BytePath> = []
        for path in found {
            guard let parent = Self.real(path.parent) else { continue }
            let itself = path.components.isEmpty ? path : parent.appending(path.last)
            let isLink = try Files.status(itself)?.isSymlink ?? false
            if !isLink || withLinks { result.insert(itself) }
            if isLink, let target = Self.real(itself) { result.insert(target) }
        }
        return result.sorted()
    }

    /// Whether the pattern stands for `path` or for a directory above it.
    func covers(_ path: BytePath) -> Bool {
        let names = path.components
        return (0...names.count).contains { Self.match(components[...], names[..<$0]) }
    }

    private func expand(
        _ directory: BytePath, _ rest: ArraySlice<String>, into found: inout Set<BytePath>, depth: Int
    ) throws {
        guard let first = rest.first else {
            if try Files.status(directory) != nil { found.insert(directory) }
            return
        }
        if first == "**" {
            try expand(directory, rest.dropFirst(), into: &found, depth: depth)
            guard depth < 256, let status = try Files.status(directory), status.isDirectory else { return }
            for name in try Self.names(directory) {
                let below = directory.appending(name)
                if try Files.status(below)?.isDirectory ?? false {
                    try expand(below, rest, into: &found, depth: depth + 1)
                }
            }
            return
        }
        if !first.contains(where: { "*?[\\".contains($0) }) {
            try expand(directory.appending(first), rest.dropFirst(), into: &found, depth: depth)
            return
        }
        for name in try Self.names(directory) where Self.match(first, name) {
            try expand(directory.appending(name), rest.dropFirst(), into: &found, depth: depth)
        }
    }

    private static func names(_ directory: BytePath) throws -> [[UInt8]] {
        do {
            return try Files.entries(directory)
        } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            return []
        }
    }

    private static func match(_ pattern: ArraySlice<String>, _ names: ArraySlice<[UInt8]>) -> Bool {
        guard let first = pattern.first else { return names.isEmpty }
        if first == "**" {
            return match(pattern.dropFirst(), names) || !names.isEmpty && match(pattern, names.dropFirst())
        }
        guard let name = names.first, match(first, name) else { return false }
        return match(pattern.dropFirst(), names.dropFirst())
    }

    private static func match(_ pattern: String, _ name: [UInt8]) -> Bool {
        ((try? BytePath(bytes: name).withCString { fnmatch(pattern, $0, 0) }) ?? 1) == 0
    }

    /// realpath(3); `nil` where something is missing.
    private static func real(_ path: BytePath) -> BytePath? {
        guard let text = try? path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(text) }
        return BytePath(bytes: UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) })
    }
}
