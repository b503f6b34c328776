internal import CLinux

/// Quotas of directory trees: ext4 with the features `quota` and `project` mounted with `prjquota`, or xfs with `prjquota`.
public struct ProjectQuota: Sendable, Equatable {
    /// The project's number.
    public let project: UInt32
    /// Bytes it may take at most, 0: any number; and how many it takes.
    public let bytes: UInt64, usedBytes: UInt64
    /// Inodes it may take at most, 0: any number; and how many it takes.
    public let inodes: UInt64, usedInodes: UInt64

    /// Whether the file system that holds an open directory enforces project quotas (quotactl_fd(2), Linux 5.14).
    public static func isEnforced(on directory: Descriptor) -> Bool {
        directory.withRaw { clinux_has_project_quota($0) == 1 }
    }

    /// The quota of a project.
    public static func read(_ project: UInt32, on directory: Descriptor) throws -> ProjectQuota {
        var bytes: UInt64 = 0, inodes: UInt64 = 0, usedBytes: UInt64 = 0, usedInodes: UInt64 = 0
        try directory.withRaw {
            _ = try SystemError.check(
                clinux_project_quota($0, project, &bytes, &inodes, &usedBytes, &usedInodes), "quotactl",
                "project \(project)")
        }
        return ProjectQuota(
            project: project, bytes: bytes, usedBytes: usedBytes, inodes: inodes, usedInodes: usedInodes)
    }

    /// Sets a project's hard limits; 0 is none.
    public static func set(_ project: UInt32, bytes: UInt64, inodes: UInt64, on directory: Descriptor) throws {
        try directory.withRaw {
            _ = try SystemError.check(
                clinux_set_project_quota($0, project, bytes, inodes), "quotactl", "project \(project)")
        }
    }

    /// Gives an empty directory a project that everything made in it inherits.
    public static func assign(_ project: UInt32, to directory: Descriptor) throws {
        try directory.withRaw {
            _ = try SystemError.check(clinux_set_project($0, project), "ioctl(FS_IOC_FSSETXATTR)", "\(directory)")
        }
    }

    /// The project of a directory; `nil` where its file system knows none.
    public static func project(of directory: Descriptor) -> UInt32? {
        let value = directory.withRaw { clinux_project($0) }
        return value < 0 ? nil : UInt32(truncatingIfNeeded: value)
    }
}
