internal import Glibc
internal import Linux

/// A name in an open directory: the promoter never names a live file by its whole path, which somebody could bend by a link
/// between two calls.
struct Place: Sendable {
    /// The directory, reached without following any link.
    let directory: Descriptor
    /// The name in it; empty for the directory itself.
    let name: [UInt8]
    /// The path, for people.
    let shown: BytePath

    /// The place as a path for calls that know no directory descriptors. `/proc/self/fd/N` stands for the open directory itself,
    /// wherever it was moved to meanwhile (proc(5)).
    var path: BytePath {
        BytePath("/proc/self/fd/\(directory.raw)").appending(name.isEmpty ? [UInt8(ascii: ".")] : name)
    }

    /// A name in a directory that is this place, where `directory` is its open descriptor.
    func below(_ directory: Descriptor, _ name: [UInt8]) -> Place {
        Place(directory: directory, name: name, shown: shown.appending(name))
    }
}

/// The directory that is `/` for a change set, and the only way into it.
struct RootDirectory: Sendable {
    let descriptor: Descriptor
    let shown: BytePath
    let calls: FileCalls

    init(_ path: String, calls: FileCalls) throws {
        shown = BytePath(path)
        self.calls = calls
        descriptor = try calls.open(path: shown, flags: O_RDONLY | O_DIRECTORY)
    }

    /// Opens the directory at an absolute `path` below the root: no link is followed on the way or at its end.
    func directory(_ path: BytePath) throws -> Descriptor {
        let names = path.components
        let relative: BytePath =
            names.isEmpty ? "." : BytePath(bytes: Array(names.joined(separator: [UInt8(ascii: "/")])))
        return try calls.open(beneath: descriptor, relative, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, shown: path)
    }

    /// The place of `path` in its parent directory.
    func place(_ path: BytePath) throws -> Place {
        guard !path.last.isEmpty else { return Place(directory: descriptor, name: [], shown: path) }
        return Place(directory: try directory(path.parent), name: path.last, shown: path)
    }
}
