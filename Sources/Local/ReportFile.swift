package import FoundationEssentials
internal import Glibc
internal import Linux

/// A file that a person named on the command line for a report.
package enum ReportFile {
    /// Puts `data` there: a file is replaced as a whole, through links; what is no file (`/dev/stdout`, a pipe, a device) is written to
    /// and stays what it is.
    ///
    /// - Throws: `SystemError`.
    package static func write(_ data: Data, to path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { return try Files.writeAtomically(path, data, mode: 0o644) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return try Files.write(try Files.open(path, flags: O_WRONLY), data, subject: path)
        }
        try Files.writeAtomically(try TryFork.resolved(path), data, mode: 0o644)
    }
}
