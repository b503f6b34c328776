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
    public static func xattrs(_ path: some FilePath) throws -> [String: Data] {
        let place = path.bytePath
        return try place.withCString { name in
            var list: [CChar] = []
            // The list may grow between the two calls: ERANGE, and once more.
            while true {
                let size = clinux_list_xattrs(name, nil, 0)
                if size == 0 || size == -95 { return [:] }  // EOPNOTSUPP
                try SystemError.check(size, "llistxattr", place.display)
                list = [CChar](repeating: 0, count: Int(size))
                let filled = clinux_list_xattrs(name, &list, list.count)
                if filled == -34 { continue }
                try SystemError.check(filled, "llistxattr", place.display)
                list.removeLast(list.count - Int(filled))
                break
            }
            var result: [String: Data] = [:]
            for part in list.split(separator: 0) {
                let key = String(decoding: part.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if let value = try value(of: key, at: name, shown: place.display) { result[key] = value }
            }
            return result
        }
    }

    /// One extended attribute, links not followed; `nil` where it is not set.
    public static func xattr(_ path: some FilePath, name: String) throws -> Data? {
        let place = path.bytePath
        return try place.withCString { try value(of: name, at: $0, shown: place.display) }
    }

    private static func value(of key: String, at path: UnsafePointer<CChar>, shown: String) throws -> Data? {
        while true {
            let size = clinux_get_xattr(path, key, nil, 0)
            if size == -61 || size == -95 { return nil }  // ENODATA (removed meanwhile), EOPNOTSUPP
            try SystemError.check(size, "lgetxattr(\(key))", shown)
            var bytes = [UInt8](repeating: 0, count: max(Int(size), 1))
            let filled = clinux_get_xattr(path, key, &bytes, Int(size))
            if filled == -34 { continue }
            if filled == -61 { return nil }
            try SystemError.check(filled, "lgetxattr(\(key))", shown)
            return Data(bytes[..<Int(filled)])
        }
    }

    /// Sets an extended attribute, links not followed.
    public static func setXattr(_ path: some FilePath, name: String, value: Data) throws {
        let place = path.bytePath
        let result = try place.withCString { file in
            value.withUnsafeBytes { clinux_set_xattr(file, name, $0.baseAddress, $0.count, 0) }
        }
        try SystemError.check(result, "lsetxattr(\(name))", place.display)
    }

    /// Removes an extended attribute, links not followed; ENODATA where it is not set.
    public static func removeXattr(_ path: some FilePath, name: String) throws {
        let place = path.bytePath
        let result = try place.withCString { clinux_remove_xattr($0, name) }
        try SystemError.check(result, "lremovexattr(\(name))", place.display)
    }
}
