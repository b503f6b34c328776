import Glibc
import Linux

/// Directories that nobody else can have made before us, although /var/tmp is everybody's.
enum Temporary {
    /// Makes `/var/tmp/NAME.XXXXXX`, mode 0700 (mkdtemp, POSIX.1-2008).
    static func directory(_ name: String) throws -> String {
        var template = Array("/var/tmp/\(name).XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else {
            throw SystemError(call: "mkdtemp", subject: "/var/tmp/\(name).XXXXXX", code: errno)
        }
        return String(cString: path)
    }
}
