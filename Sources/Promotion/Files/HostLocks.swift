internal import Fork
internal import Glibc
internal import Linux

/// The locks of other programs on the files that a change set touches: dpkg's, and the user database's (lckpwdf(3)).
///
/// Held as open-file-description locks (fcntl(2), Linux 3.15), which exclude the traditional ones those programs take.
struct HostLocks: Sendable {
    private let held: [Descriptor]

    /// Takes what is needed; a lock whose directory does not exist below the root is not.
    ///
    /// - Throws: ``PromotionError/refused(_:)`` where another program holds one.
    init(for changeSet: ChangeSet, root: RootDirectory, calls: FileCalls) throws {
        let paths = changeSet.changes.map(\.path)
        let accounts: Set<BytePath> = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"]
        var held: [Descriptor] = []
        if paths.contains(where: accounts.contains), let lock = try Self.take("/etc/.pwd.lock", root, calls) {
            held.append(lock)
        }
        if paths.contains(where: { $0.isInside("/var/lib/dpkg") }) {
            for name: BytePath in ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"] {
                if let lock = try Self.take(name, root, calls) { held.append(lock) }
            }
        }
        self.held = held
    }

    /// Waits up to about two seconds, as those programs hold their locks for moments only or for minutes.
    private static func take(_ path: BytePath, _ root: RootDirectory, _ calls: FileCalls) throws -> Descriptor? {
        let file: Descriptor
        do {
            let place = try root.place(path)
            file = try calls.call(.lock, path) {
                try Files.open(BytePath(bytes: place.name), flags: O_RDWR | O_NOFOLLOW, at: place.directory)
            }
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return nil
        }
        for attempt in 0..<20 {
            if attempt > 0 { usleep(100_000) }
            var lock = flock()
            lock.l_type = Int16(F_WRLCK)
            if fcntl(file.raw, 37, &lock) == 0 { return file }  // F_OFD_SETLK
            guard errno == EAGAIN || errno == EACCES else {
                throw SystemError(call: "fcntl(F_OFD_SETLK)", subject: path.display, code: errno)
            }
        }
        throw PromotionError.refused([
            "\(path.display) is locked by another program that changes these files; wait until it ends"
        ])
    }
}
