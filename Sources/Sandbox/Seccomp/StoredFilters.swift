internal import CSeccomp
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Compiled filters that outlive the process: a command that runs in one sandbox and ends takes less time than libseccomp does for
/// its filter.
///
/// A program is found by everything it depends on: the whole plan, the guards before it, the very library and the architecture.
/// It is used only from a directory and a file that are this user's and that nobody else may write to, and only under the name it was
/// stored by; whatever is wrong with them, the filter is compiled as if there were none.
struct StoredFilters: Sendable {
    /// Made when the first filter is stored, with mode 0700.
    let directory: String
    /// Which libseccomp it is.
    var library = Self.libseccomp
    var user = geteuid()

    /// Goes up when ``SeccompCompiler`` makes other programs of the same plan.
    private static let revision = 1
    /// The kernel takes no more (BPF_MAXINSNS, linux/bpf_common.h), eight bytes each.
    private static let largest = 4096 * 8
    /// As many profiles as a host may have; more are those of older libraries and profiles that were changed.
    static let most = 64

    /// Its version, and its file: a distribution's update keeps the version.
    private static let libseccomp: String = {
        var text = "unknown"
        if let version = seccomp_version()?.pointee { text = "\(version.major).\(version.minor).\(version.micro)" }
        guard
            let file = (try? Files.readString("/proc/self/maps"))?.split(separator: "\n")
                .first(where: { $0.contains("/libseccomp.so") })?.split(separator: " ").last,
            let status = try? Files.status(String(file))
        else { return text }
        return "\(text) \(status.inode) \(status.size) \(status.changed)"
    }()

    /// The program of a plan; `nil` where none is stored, or none that can be trusted.
    func program(for plan: FilterPlan, reporting: Bool) -> Data? {
        let known = key(plan, reporting)
        guard let place = try? Files.open(directory, flags: O_DIRECTORY | O_NOFOLLOW), isOurs(place, .directory),
            let file = try? Files.open(Digest(of: known).hex, flags: O_NOFOLLOW | O_NONBLOCK, at: place),
            isOurs(file, .file),
            let content = try? Files.read(file, limit: Self.largest + 32), content.count > 32, content.count % 8 == 0
        else { return nil }
        let program = Data(content.dropFirst(32))
        return Self.seal(known, program) == content.prefix(32) ? program : nil
    }

    /// Keeps a program for the next time. Where that can't be, the next time compiles it again.
    func store(_ program: Data, for plan: FilterPlan, reporting: Bool) {
        do {
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
                let known = key(plan, reporting)
                try Files.writeAtomically(
                    "\(here)/\(Digest(of: known).hex)", Self.seal(known, program) + program, mode: 0o600)
            }
        } catch {}
    }

    /// Before each program: what it is a program of, and that it is whole.
    private static func seal(_ known: Data, _ program: Data) -> Data { Digest(of: known + program).bytes }

    /// Everything that the program depends on.
    private func key(_ plan: FilterPlan, _ reporting: Bool) -> Data {
        var known: [UInt8] = Array("grace-seccomp \(Self.revision) libseccomp \(library)\0".utf8)
        func add(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { known += $0 } }
        add(seccomp_arch_native())
        add(SeccompCompiler.code(.report, reporting))
        add(SeccompCompiler.code(plan.standard, reporting))
        let guards = FilterGuards.instructions(architecture: seccomp_arch_native(), denied: 0)
        guards.withUnsafeBytes { known += $0 }
        for rule in plan.rules {
            known += rule.call.utf8
            known.append(0)
            add(SystemCalls.number(of: rule.call) ?? -1)
            add(SeccompCompiler.code(rule.action, reporting))
            add(rule.conditions.count)
            for one in rule.conditions {
                add(one.index)
                add(SeccompCompiler.comparison(one.comparison).rawValue)
                add(one.value)
                add(one.second)
            }
        }
        return Data(known)
    }

    private func isOurs(_ descriptor: Descriptor, _ kind: Status.Kind) -> Bool {
        guard let status = try? Files.status(of: descriptor) else { return false }
        return status.kind == kind && status.uid == user && status.mode & 0o022 == 0
    }
}
