internal import CLinux

/// A system call the kernel refused: which, on what, and why.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call, as in the manual: `openat2`, `mount`.
    public let call: String
    /// What it was asked for, shown to people: a path, a process, an address. May be empty.
    public let subject: String
    /// The error number (`errno`), positive.
    public let code: Int32

    /// An error of `call` on `subject` with the positive error number `code`.
    public init(call: String, subject: String, code: Int32) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    /// The error number's symbol: `ENOENT`.
    public var name: String { String(cString: clinux_errno_name(code)) }

    /// One sentence: what, where, why, and what to do where the number alone says it.
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 256)
        let text = String(cString: clinux_errno_text(code, &buffer, buffer.count))
        let place = subject.isEmpty ? "" : " of \(subject)"
        let advice = SystemError.advice[name].map { "; " + $0 } ?? ""
        return "\(call)\(place) failed: \(text) (\(name))\(advice)"
    }

    private static let advice: [String: String] = [
        "EACCES": "check the owner and mode of it and of the directories above it, or run Grace as root",
        "EPERM": "the kernel demands a privilege this process lacks; run Grace as root, and look for an immutable flag",
        "ENOENT": "check the path",
        "ENOSPC": "make room on that file system",
        "EDQUOT": "raise the disk quota or make room",
        "EROFS": "the file system is mounted read-only; remount it or choose another place",
        "EMFILE": "raise this process's limit of open files (ulimit -n)",
        "ENFILE": "the whole host is out of open files; raise fs.file-max",
        "ENOMEM": "free memory, or raise the cgroup's memory limit",
        "EBUSY": "something still uses it; find it with fuser or `grace doctor --holds`",
        "EXDEV": "both must lie on one mount",
        "ELOOP": "too many symbolic links, or a link where none is allowed",
        "ENOSYS": "this kernel is too old; Grace needs Linux 6.1",
        "EOPNOTSUPP": "this file system can't do that; choose one that can, such as ext4 or xfs",
        "ECONNREFUSED": "nothing listens there",
        "ETIMEDOUT": "there was no answer in time",
        "ENAMETOOLONG": "shorten the path",
    ]
}

extension SystemError {
    /// The result of a shim: `result` if it is not negative, else the error it stands for.
    @discardableResult
    static func check<T: BinaryInteger>(_ result: T, _ call: String, _ subject: @autoclosure () -> String) throws -> T {
        guard result < 0 else { return result }
        throw SystemError(call: call, subject: subject(), code: Int32(truncatingIfNeeded: -Int64(result)))
    }
}
