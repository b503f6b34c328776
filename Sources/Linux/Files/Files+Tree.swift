internal import CLinux
internal import Glibc

extension Files {
    /// The names in a directory, in the kernel's order, without `.` and `..`.
    public static func entries(_ path: some FilePath) throws -> [[UInt8]] {
        let descriptor = try open(path, flags: O_DIRECTORY)
        return try entries(of: descriptor, shown: path.bytePath.display)
    }

    /// The names in an open directory. Its position is shared: don't list one descriptor twice at the same time.
    public static func entries(of directory: Descriptor, shown: String? = nil) throws -> [[UInt8]] {
        let subject = shown ?? "\(directory)"
        // A new open file, so that an earlier listing's position doesn't matter.
        let again = try directory.withRaw { raw in
            try SystemError.check(clinux_openat(raw, ".", O_DIRECTORY, 0), "open", subject)
        }
        var names: [[UInt8]] = []
        let result = withUnsafeMutablePointer(to: &names) { list in
            clinux_entries(
                again,
                { name, _, context in
                    guard let name, let context else { return 1 }
                    var length = 0
                    while name[length] != 0 { length += 1 }
                    let bytes = UnsafeBufferPointer(start: name, count: length).map { UInt8(bitPattern: $0) }
                    context.assumingMemoryBound(to: [[UInt8]].self).pointee.append(bytes)
                    return 0
                }, list)
        }
        try SystemError.check(result, "readdir", subject)
        return names
    }

    /// Removes `path` and all below it; nothing there is fine. Follows no link and crosses into no mount: a mount inside
    /// is EXDEV or EBUSY, after what came before it is gone.
    public static func removeTree(_ path: some FilePath) throws {
        let target = path.bytePath
        guard let status = try status(target) else { return }
        guard status.isDirectory else { return try unlink(target) }
        guard !status.isMountRoot else {
            throw SystemError(call: "removeTree", subject: target.display, code: 16 /* EBUSY */)
        }
        // An absolute path's parent may be reached through links; from the target on nothing is.
        let top = try open(target, flags: O_DIRECTORY | O_NOFOLLOW)
        var lifted = 0
        var before = -1
        while before < lifted {
            before = lifted
            try removeContents(of: top, shown: target, depth: 0, top: top, lifted: &lifted)
        }
        try removeDirectory(target)
    }

    /// Directories that lie deeper than this are first moved up: so few are open at a time, however deep the tree is.
    private static let deepest = 64

    private static func removeContents(
        of directory: Descriptor, shown: BytePath, depth: Int, top: Descriptor, lifted: inout Int
    ) throws {
        for name in try entries(of: directory, shown: shown.display) {
            let path = BytePath(bytes: name)
            let removed = try directory.withRaw { raw in try path.withCString { clinux_unlinkat(raw, $0, 0) } }
            if removed == 0 || removed == -2 { continue }
            guard removed == -21 || removed == -1 else {  // EISDIR; POSIX says EPERM
                throw SystemError(call: "unlink", subject: shown.appending(name).display, code: -removed)
            }
            if depth >= deepest, try lift(path, from: directory, to: top, &lifted) { continue }
            let below: Descriptor
            do {
                below = try open(
                    path, flags: O_DIRECTORY | O_NOFOLLOW, at: directory,
                    resolve: Resolve.noMounts | Resolve.noSymlinks | Resolve.beneath)
            } catch let error as SystemError where error.name == "ENOTDIR" && removed == -1 {
                throw SystemError(call: "unlink", subject: shown.appending(name).display, code: 1)
            } catch let error as SystemError {
                throw SystemError(call: error.call, subject: shown.appending(name).display, code: error.code)
            }
            try removeContents(of: below, shown: shown.appending(name), depth: depth + 1, top: top, lifted: &lifted)
            below.close()
            let emptied = try directory.withRaw { raw in try path.withCString { clinux_unlinkat(raw, $0, 1) } }
            if emptied == -2 { continue }
            try SystemError.check(emptied, "rmdir", shown.appending(name).display)
        }
    }

    /// Moves a directory up to the top, under a name that is free there.
    ///
    /// - Returns: `false` where the kernel won't: it is none, say, or something is mounted on it.
    private static func lift(_ path: BytePath, from directory: Descriptor, to top: Descriptor, _ lifted: inout Int)
        throws
        -> Bool
    {
        for _ in 0..<1000 {
            let free = BytePath(".lifted-\(lifted)")
            let result = try directory.withRaw { source in
                try top.withRaw { target in
                    try path.withCString { from in
                        try free.withCString { clinux_renameat2(source, from, target, $0, 1) }
                    }
                }
            }
            lifted += 1
            if result == 0 { return true }
            if result != -17 { return false }  // EEXIST
        }
        return false
    }
}
