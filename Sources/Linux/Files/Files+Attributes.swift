internal import CLinux
public import FoundationEssentials

extension Files {
    /// Sets owner and group, links not followed. Clears setuid and setgid bits: chmod afterwards.
    public static func chown(_ path: some FilePath, uid: UInt32, gid: UInt32) throws {
        let place = path.bytePath
        try SystemError.check(try place.withCString { clinux_lchown($0, uid, gid) }, "lchown", place.display)
    }

    /// Sets the permission bits. **Follows** a link in the last place: Linux links have no mode of their own.
    public static func chmod(_ path: some FilePath, _ mode: UInt32) throws {
        let place = path.bytePath
        try SystemError.check(try place.withCString { clinux_chmod($0, mode & 0o7777) }, "chmod", place.display)
    }

    /// Sets the times of access and modification, links not followed; `nil` leaves one as it is.
    public static func setTimes(_ path: some FilePath, accessed: FileTime?, modified: FileTime?) throws {
        let place = path.bytePath
        let omit = Int64(CLINUX_TIME_OMIT)
        let result = try place.withCString {
            clinux_set_times(
                $0, accessed?.seconds ?? 0, accessed.map { Int64($0.nanoseconds) } ?? omit, modified?.seconds ?? 0,
                modified.map { Int64($0.nanoseconds) } ?? omit)
        }
        try SystemError.check(result, "utimensat", place.display)
    }

    /// The bytes by which the file system names the inode for good, generation included (name_to_handle_at(2)); of a link itself.
    ///
    /// - Returns: `nil` where the file system has no such names.
    public static func handle(_ path: some FilePath) throws -> [UInt8]? {
        let place = path.bytePath
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = try place.withCString { clinux_file_handle($0, &bytes, bytes.count) }
        if count == -95 { return nil }  // EOPNOTSUPP
        try SystemError.check(count, "name_to_handle_at", place.display)
        return Array(bytes[..<Int(count)])
    }

    /// Every extended attribute the caller may see, links not followed; empty where the file system has none.
    ///
    /// - Throws: `SystemError`; EILSEQ for an attribute whose name is not UTF-8, which a `String` can't stand for.
    public static func xattrs(_ path: some FilePath) throws -> [String: Data] {
        try xattrs(path.bytePath, follow: false)
    }

    /// The same of an inode that is open, in any way, be it a link: whatever its name stands for by now.
    public static func xattrs(of file: Descriptor) throws -> [String: Data] {
        try withExtendedLifetime(file) { try xattrs(place(of: file), follow: true) }
    }

    /// One extended attribute, links not followed; `nil` where it is not set.
    public static func xattr(_ path: some FilePath, name: String) throws -> Data? {
        let place = path.bytePath
        return try place.withCString { try value(of: name, at: $0, follow: false, shown: place.display) }
    }

    /// Sets an extended attribute, links not followed.
    public static func setXattr(_ path: some FilePath, name: String, value: Data) throws {
        try setXattr(path.bytePath, follow: false, name: name, value: value)
    }

    /// The same on an inode that is open, in any way, be it a link.
    public static func setXattr(of file: Descriptor, name: String, value: Data) throws {
        try withExtendedLifetime(file) { try setXattr(place(of: file), follow: true, name: name, value: value) }
    }

    /// Removes an extended attribute, links not followed; ENODATA where it is not set.
    public static func removeXattr(_ path: some FilePath, name: String) throws {
        try removeXattr(path.bytePath, follow: false, name: name)
    }

    /// The same on an inode that is open, in any way, be it a link.
    public static func removeXattr(of file: Descriptor, name: String) throws {
        try withExtendedLifetime(file) { try removeXattr(place(of: file), follow: true, name: name) }
    }

    /// Stands for the open inode itself, a link too when it is followed (proc(5)).
    private static func place(of file: Descriptor) -> BytePath { BytePath("/proc/self/fd/\(file.raw)") }

    private static func xattrs(_ place: BytePath, follow: Bool) throws -> [String: Data] {
        try place.withCString { name in
            var list: [CChar] = []
            // The list may grow between the two calls: ERANGE, and once more.
            while true {
                let size = clinux_list_xattrs(name, follow ? 1 : 0, nil, 0)
                if size == 0 || size == -95 { return [:] }  // EOPNOTSUPP
                try SystemError.check(size, "llistxattr", place.display)
                list = [CChar](repeating: 0, count: Int(size))
                let filled = clinux_list_xattrs(name, follow ? 1 : 0, &list, list.count)
                if filled == -34 { continue }
                try SystemError.check(filled, "llistxattr", place.display)
                list.removeLast(list.count - Int(filled))
                break
            }
            var result: [String: Data] = [:]
            for part in list.split(separator: 0) {
                guard let key = String(validating: part.map { UInt8(bitPattern: $0) }, as: UTF8.self) else {
                    throw SystemError(call: "llistxattr", subject: place.display, code: 84 /* EILSEQ */)
                }
                if let value = try value(of: key, at: name, follow: follow, shown: place.display) {
                    result[key] = value
                }
            }
            return result
        }
    }

    private static func value(of key: String, at path: UnsafePointer<CChar>, follow: Bool, shown: String) throws
        -> Data?
    {
        while true {
            let size = clinux_get_xattr(path, follow ? 1 : 0, key, nil, 0)
            if size == -61 || size == -95 { return nil }  // ENODATA (removed meanwhile), EOPNOTSUPP
            try SystemError.check(size, "lgetxattr(\(key))", shown)
            var bytes = [UInt8](repeating: 0, count: max(Int(size), 1))
            let filled = clinux_get_xattr(path, follow ? 1 : 0, key, &bytes, Int(size))
            if filled == -34 { continue }
            if filled == -61 { return nil }
            try SystemError.check(filled, "lgetxattr(\(key))", shown)
            return Data(bytes[..<Int(filled)])
        }
    }

    private static func setXattr(_ place: BytePath, follow: Bool, name: String, value: Data) throws {
        let result = try place.withCString { file in
            value.withUnsafeBytes { clinux_set_xattr(file, follow ? 1 : 0, name, $0.baseAddress, $0.count) }
        }
        try SystemError.check(result, "lsetxattr(\(name))", place.display)
    }

    private static func removeXattr(_ place: BytePath, follow: Bool, name: String) throws {
        let result = try place.withCString { clinux_remove_xattr($0, follow ? 1 : 0, name) }
        try SystemError.check(result, "lremovexattr(\(name))", place.display)
    }
}
