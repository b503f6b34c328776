internal import Glibc
internal import Linux

/// What the kernel said to a wish for a read lease (fcntl(2), F_SETLEASE).
enum LeaseAnswer {
    /// Nobody writes the file, and nobody may open it for writing until the lease ends.
    case held
    /// Somebody has it open for writing, or maps it so.
    case writer
    /// None is to be had here: the file system knows no leases, or they are for the file's owner and CAP_LEASE alone.
    case none
}

extension FileCalls {
    /// Takes a read lease on a file open for reading: from now on nobody may open it for writing until the lease ends.
    func readLease(_ file: Descriptor, shown: BytePath) throws -> LeaseAnswer {
        do {
            let isHeld = try call(.lease, shown) {
                // Who opens the file for writing makes the kernel signal the lease's holder: SIGIO would end this process, SIGURG is
                // ignored by default (fcntl(2), F_SETSIG).
                guard file.withRaw({ fcntl($0, Self.setSignal, SIGURG) }) == 0 else {
                    throw SystemError(call: "fcntl(F_SETSIG)", subject: "", code: errno)
                }
                return try Files.readLease(file)
            }
            return isHeld ? .held : .writer
        } catch let error as SystemError where [EINVAL, EACCES, EOPNOTSUPP].contains(error.code) {
            return .none
        }
    }

    /// Whether somebody waits to open the leased file for writing: then F_GETLEASE tells what the lease must become, F_UNLCK.
    func isLeaseBreaking(_ file: Descriptor, shown: BytePath) throws -> Bool {
        try call(.lease, shown) { file.withRaw { fcntl($0, Self.getLease) } != F_RDLCK }
    }

    private static let setSignal: Int32 = 10  // F_SETSIG, which Glibc's module hides
    private static let getLease: Int32 = 1025  // F_GETLEASE
}
