internal import CSeccomp
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Compiled filters that outlive the process: a command that runs in one sandbox and ends takes less time than libseccomp does for
/// its filter.
///
/// A program is found by everything it depends on: the policy as it was asked for, the very program that makes filters of it, and the
/// very library.
/// It is used only from a directory and a file that are this user's and that nobody else may write to, and only under the name it was
/// stored by; whatever is wrong with them, the filter is compiled as if there were none.
struct StoredFilters: Sendable {
    /// Made when the first filter is stored, with mode 0700.
    let directory: String
    /// Which libseccomp it is; `nil` where that can't be told, and nothing is stored then.
    var library = Self.libseccomp
    /// Which program of Grace's it is, likewise: another one may make another filter of the same policy.
    var program = Self.own
    var user = geteuid()

    /// What a filter is made of.
    struct Source {
        var policy: SeccompPolicy
        /// Those that matter to it, sorted.
        var capabilities: [String]
        var reporting: Bool
        var keepsProject: Bool
    }

    /// The kernel takes no more (BPF_MAXINSNS, linux/bpf_common.h), eight bytes each.
    private static let largest = 4096 * 8
    /// As many profiles as a host may have; more are those of older libraries and profiles that were changed.
    static let most = 64

    /// Its version, and the file that it was loaded from: a distribution's update keeps the version.
    private static let libseccomp: String? = {
        guard let version = seccomp_version() else { return nil }
        let text = "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.micro)"
        // The number it answers lies in its own data.
        return Processes.object(holding: version).flatMap(stamp).map { "\(text) \($0)" }
    }()
    private static let own = stamp("/proc/self/exe")

    /// A file as it is: another one in its place, or written to it, has another stamp.
    private static func stamp(_ path: String) -> String? {
        guard let file = try? Files.open(path, flags: Files.Flag.path), let status = try? Files.status(of: file) else {
            return nil
        }
        return "\(status.device) \(status.inode) \(status.size) \(status.changed.seconds).\(status.changed.nanoseconds)"
    }

    /// The program of a policy; `nil` where none is stored, or none that can be trusted.
    func program(for source: Source) -> Data? {
        guard let known = try? key(source) ?? nil,
            let place = try? Files.open(directory, flags: O_DIRECTORY | O_NOFOLLOW), isOurs(place, .directory),
            let file = try? Files.open(Digest(of: known).hex, flags: O_NOFOLLOW | O_NONBLOCK, at: place),
            isOurs(file, .file),
            let content = try? Files.read(file, limit: Self.largest + 32), content.count > 32, content.count % 8 == 0
        else { return nil }
        let program = Data(content.dropFirst(32))
        return Self.seal(known, program) == content.prefix(32) ? program : nil
    }

    /// Keeps a program for the next time. Where that can't be, the next time compiles it again.
    func store(_ program: Data, for source: Source) {
        do {
            guard let known = try key(source) else { return }
            // The one above it is others' as well.
            try Files.makeDirectory(BytePath(directory).parent, mode: 0o755, intermediate: true)
            try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
            let place = try Files.open(directory, flags: O_DIRECTORY | O_NOFOLLOW)
            guard isOurs(place, .directory), program.count <= Self.largest else { return }
            // Into the very directory that was looked at.
            try withExtendedLifetime(place) {
                let here = "/proc/self/fd/\(place.raw)"
                let names = try Files.entries(of: place)
                if names.count >= Self.most { for name in names { try? Files.unlink(BytePath(here).appending(name)) } }
                try Files.writeAtomically(
                    "\(here)/\(Digest(of: known).hex)", Self.seal(known, program) + program, mode: 0o600)
            }
        } catch {}
    }

    /// Before each program: what it is a program of, and that it is whole.
    private static func seal(_ known: Data, _ program: Data) -> Data { Digest(of: known + program).bytes }

    /// Everything that the program depends on: Grace's own lists and what is made of them by the program that runs, the rest by name.
    ///
    /// - Returns: `nil` where that can't be told.
    private func key(_ source: Source) throws -> Data? {
        guard let program, let library else { return nil }
        var known: [UInt8] = Array(
            "grace-seccomp \(program) libseccomp \(library) reporting \(source.reporting) \(source.keepsProject)\0".utf8
        )
        func add(_ names: [String]) {
            known += "\(names.count)\0".utf8
            for name in names {
                known += name.utf8
                known.append(0)
            }
        }
        let policy = source.policy
        add(policy.allow)
        add(policy.deny)
        add(policy.quiet)
        if let file = policy.file {
            // Which of its rules apply depends on these too.
            add(source.capabilities)
            let kernel = KernelVersion.running
            known += "\(kernel.major).\(kernel.minor)\0".utf8
            known += try file.json.canonical
        }
        return Data(known)
    }

    private func isOurs(_ descriptor: Descriptor, _ kind: Status.Kind) -> Bool {
        guard let status = try? Files.status(of: descriptor) else { return false }
        return status.kind == kind && status.uid == user && status.mode & 0o022 == 0
    }
}
