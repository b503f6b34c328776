internal import Glibc
internal import Linux

/// Directories that nobody else can have made before us, although /var/tmp is everybody's.
package enum Temporary {
    /// Makes `/var/tmp/NAME.PID-START-XXXXXX`, mode 0700 (mkdtemp, POSIX.1-2008). By its name `grace doctor --clean` tells whether
    /// it is a living process's.
    ///
    /// - Parameters:
    ///   - name: `grace-run`.
    ///   - place: Make it there instead, where that is a directory this process may write: to try a file system.
    /// - Returns: Its path.
    /// - Throws: `SystemError`.
    package static func directory(_ name: String, beside place: String? = nil) throws -> String {
        let parent = place.flatMap { access($0, W_OK) == 0 ? $0 : nil } ?? "/var/tmp"
        let owner = "\(getpid())-\(Processes.ownStartTime ?? 0)"
        let pattern = "\(parent)/\(name).\(owner)-XXXXXX"
        var template = Array(pattern.utf8CString)
        guard let path = mkdtemp(&template) else {
            throw SystemError(call: "mkdtemp", subject: pattern, code: errno)
        }
        return String(cString: path)
    }
}
