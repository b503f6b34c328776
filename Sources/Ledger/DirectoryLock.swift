internal import Glibc
internal import Linux

/// Keeps a second writer out of a directory for as long as the descriptor lives, also after a kill (flock(2)).
enum DirectoryLock {
    static func take(_ directory: String) throws -> Descriptor {
        let file = try Files.open(directory + "/lock", flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard try Files.lock(file) else { throw LedgerError.locked(directory: directory) }
        return file
    }
}
