internal import CSeccomp
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Compiled filters that outlive the process: a command that runs in one sandbox and ends takes less time than libseccomp does for
/// its filter.
///
/// A program is found by everything it depends on: the whole plan, the guards before it, libseccomp's version and the architecture.
/// It is used only from a directory and a file that are this user's and that nobody else may write to; whatever is wrong with them,
/// the filter is compiled as if there were none.
struct StoredFilters: Sendable {
    /// Made when the first filter is stored, with mode 0700.
    let directory: String
    /// Of everything besides the plan that a program depends on.
    var libraryVersion = Self.libseccomp
    var user = geteuid()

    /// Goes up when ``SeccompCompiler`` makes other programs of the same plan.
    private static let revision = 1
    /// The kernel takes no more (BPF_MAXINSNS, linux/bpf_common.h), eight bytes each.
    private static let largest = 4096 * 8
    private static var libseccomp: String {
        guard let version = seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }

    /// The program of a plan; `nil` where none is stored, or none that can be trusted.
    func program(for plan: FilterPlan, reporting: Bool) -> Data? {
        guard let place = try? Files.open(directory, flags: O_DIRECTORY | O_NOFOLLOW), isOurs(place, .directory),
            let file = try? Files.open(path(plan, reporting), flags: O_NOFOLLOW | O_NONBLOCK), isOurs(file, .file),
            let content = try? Files.read(file, limit: Self.largest + 32), content.count > 32, content.count % 8 == 0
        else { return nil }
        // Its digest before it: a disk that was full, or one that fails, leaves no filter with a hole.
        let program = Data(content.dropFirst(32))
        return Digest(of: program).bytes == content.prefix(32) ? program : nil
    }

    /// Keeps a program for the next time. Where that can't be, the next time compiles it again.
    func store(_ program: Data, for plan: FilterPlan, reporting: Bool) {
        do {
            // The one above it is others' as well.
            try Files.makeDirectory(BytePath(directory).parent, mode: 0o755, intermediate: true)
            try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
            let place = try Files.open(directory, flags: O_DIRECTORY | O_NOFOLLOW)
            guard isOurs(place, .directory), program.count <= Self.largest else { return }
            try Files.writeAtomically(path(plan, reporting), Digest(of: program).bytes + program, mode: 0o600)
        } catch {}
    }

    private func path(_ plan: FilterPlan, _ reporting: Bool) -> String {
        var known: [UInt8] = Array("grace-seccomp \(Self.revision) libseccomp \(libraryVersion)\0".utf8)
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
        return "\(directory)/\(Digest(of: Data(known)).hex)"
    }

    private func isOurs(_ descriptor: Descriptor, _ kind: Status.Kind) -> Bool {
        guard let status = try? Files.status(of: descriptor) else { return false }
        return status.kind == kind && status.uid == user && status.mode & 0o022 == 0
    }
}
